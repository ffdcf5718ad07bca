// An XLSX workbook, made by hand: a ZIP archive of XML parts, stored as they are.

import { crc32 } from 'node:zlib';

/** A ZIP archive of these files: `{ name: text }`. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const [path, data] = [Buffer.from(name), Buffer.from(text)];
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2); // Names are UTF-8.
    facts.writeUInt32LE(crc32(data), 10);
    facts.writeUInt32LE(data.length, 14);
    facts.writeUInt32LE(data.length, 18);
    facts.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, path, data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), facts, rest, path]));
    parts.push(local);
    at += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listed, end]);
}

/**
 * A workbook of sheets: `{ name: [[cell, ...], ...] }`. A number is a number, `{ date: serial }` shows as a date, and
 * `{ padded: number }` with five digits; all else is text.
 */
export function workbook(sheets) {
  const namespace = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  const relation = (id, kind, target) => `<Relationship Id="${id}" Type="${namespace}/${kind}" Target="${target}"/>`;
  const cell = (value, name) => {
    if (value === '' || value === undefined) return '';
    if (typeof value === 'number') return `<c r="${name}"><v>${value}</v></c>`;
    if (value.date) return `<c r="${name}" s="1"><v>${value.date}</v></c>`;
    if (value.padded) return `<c r="${name}" s="2"><v>${value.padded}</v></c>`;
    return `<c r="${name}" t="inlineStr"><is><t>${escaped(value)}</t></is></c>`;
  };
  const sheet = (rows) => {
    const lines = rows.map((row, index) => {
      const cells = row.map((value, column) => cell(value, `${String.fromCharCode(65 + column)}${index + 1}`));
      return `<row r="${index + 1}">${cells.join('')}</row>`;
    });
    return `<worksheet><sheetData>${lines.join('')}</sheetData></worksheet>`;
  };
  const names = Object.keys(sheets);
  const files = {
    '[Content_Types].xml': '<Types/>',
    '_rels/.rels': `<Relationships>${relation('rId1', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    'xl/_rels/workbook.xml.rels': `<Relationships>${names
      .map((_, index) => relation(`rId${index + 1}`, 'worksheet', `worksheets/sheet${index + 1}.xml`))
      .join('')}${relation('rId99', 'styles', 'styles.xml')}</Relationships>`,
    'xl/workbook.xml': `<workbook xmlns:r="${namespace}"><sheets>${names
      .map((name, index) => `<sheet name="${escaped(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`)
      .join('')}</sheets></workbook>`,
    'xl/styles.xml': '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="00000"/></numFmts><fonts><font/></fonts>'
      + '<fills><fill/></fills><borders><border/></borders><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
      + '<xf numFmtId="164"/></cellXfs></styleSheet>',
  };
  names.forEach((name, index) => { files[`xl/worksheets/sheet${index + 1}.xml`] = sheet(sheets[name]); });
  return zip(files);
}
