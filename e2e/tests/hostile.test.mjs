// Naughty strings and formulas of others' lists go through upload, API, log, contacts, mail and every export: their text
// stays what it was, nothing of it runs, and no spreadsheet takes it for a formula.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { MailServer } from '../support/mailserver.mjs';
import { Rollbook, admin } from '../support/rollbook.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const folder = join(process.env.ROLLBOOK_TEST_DATA ?? join(root, '..', 'shared', 'data'), 'security');
const there = existsSync(folder);
assert.ok(there || process.env.CI !== 'true', `the lists are missing in ${folder}`);
const read = (name) => (there ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : []);

/** Our own, so that something is tried without the lists. */
const own = [
  '=1+1',
  '＝1+1',
  '\t=1+1',
  '@SUM(A1:A9)',
  `"><img src=x onerror="document.title='run'">`,
  `<script>document.title='run'</script>`,
  `javascript:document.title='run'`,
  '{{7*7}}${7*7}<%= 7*7 %>',
  '\u202Etxt.exe',
  'a\u0000b',
  `'; DROP TABLE contacts; --`,
];
const texts = [...own, ...read('csv_injection_payloads.json'), ...read('naughty_strings.json')];

let rollbook, browser, page, parser, mail, key;

before(async () => {
  if (!there) console.log(`left out: the lists of ${folder}, which are not there; our own ${own.length} are tried`);
  mail = await MailServer.start();
  rollbook = await Rollbook.start({
    ROLLBOOK_MAIL: `smtp://127.0.0.1:${mail.port}?tls=none`,
    ROLLBOOK_MAIL_FROM: 'rollbook@hotel.example',
    ROLLBOOK_PUBLIC_URL: 'http://rollbook.example',
  });
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--region', 'DE');
  await rollbook.cli('field', 'add', 'remark', '--label', 'Remark', '--type', 'long_text');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk');
  key = (await rollbook.cli('key', 'create', '--all', '--name', 'tests')).trim();
  browser = await launch();
  page = await open(browser, rollbook.url);
  parser = await browser.newPage();
  page.on('dialog', (dialog) => {
    page.problems.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
  await mail?.stop();
});

const get = async (path) => {
  const response = await fetch(`${rollbook.url}/api/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(response.status, 200, path);
  return response.text();
};
const lines = async (path) => (await get(path)).trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const formula = /^\s*[=+\-@＝＋－＠]/u;

/** The cells of a CSV, row by row (RFC 4180). */
function cells(csv) {
  const rows = [[]];
  for (const [, cell, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|$)/gu)) {
    rows.at(-1).push(cell === undefined ? plain : cell.replaceAll('""', '"'));
    if (end === '') break;
    if (end !== ',') rows.push([]);
  }
  return rows;
}

function assertNoFormula(csv, what) {
  const found = cells(csv).flat().filter((cell) => formula.test(cell));
  assert.deepEqual(found, [], what);
}

/** Nothing in a page that would run: as the browser's own parser sees it. */
const harmless = (html) =>
  parser.evaluate((text) => {
    const found = [];
    for (const element of new DOMParser().parseFromString(text, 'text/html').querySelectorAll('*')) {
      if (element.localName === 'script' && !element.src.includes('/assets/')) found.push(element.outerHTML);
      for (const { name, value } of element.attributes) {
        if (name.startsWith('on') || name === 'style' || name === 'srcdoc') found.push(`${name}=${value}`);
        if (['href', 'src', 'action', 'formaction'].includes(name) && /^\s*(javascript|data|vbscript):/i.test(value)) found.push(`${name}=${value}`);
      }
    }
    return found;
  }, html);

let delivered;

test('every text comes back from the API as it was sent, or is told as a problem', async () => {
  const body = JSON.stringify(texts.map((text, at) => ({ id: `A-${at}`, name: `Guest ${at}`, remark: text })));
  const response = await fetch(`${rollbook.url}/api/v1/sources/desk/contacts/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body,
  });
  assert.ok(response.ok, `${response.status}`);
  await response.text();
  delivered = (await lines('/logs/export?format=ndjson')).filter(({ source }) => (source?.name ?? source) === 'desk').reverse();
  assert.equal(delivered.length, texts.length);
  const contacts = new Map((await lines('/contacts/export?format=ndjson')).map((contact) => [contact.id, contact]));
  let kept = 0;
  for (const [at, text] of texts.entries()) {
    const attempt = delivered[at];
    const payload = typeof attempt.payload === 'string' ? JSON.parse(attempt.payload) : attempt.payload;
    assert.equal(payload.remark, text, 'the log keeps what was sent');
    if (attempt.result === 'failure') {
      assert.ok(attempt.issues.length > 0, `${JSON.stringify(text)} fails without a word`);
      continue;
    }
    const contact = contacts.get(attempt.contact_id);
    assert.equal(contact.fields.name, `Guest ${at}`);
    if (contact.fields.remark === undefined) continue;
    kept += 1;
    // Blanks and invisible characters around a text, and the mark ' before a number or formula, are tidied away.
    const edge = /^[\s\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF\u00AD\u0085]+|[\s\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF\u00AD\u0085]+$/gu;
    assert.equal(contact.fields.remark.replace(edge, ''), text.normalize('NFC').replace(edge, '').replace(/^'(?=[\d=+\-@])/, ''));
  }
  assert.ok(kept >= texts.length * 0.9, `only ${kept} of ${texts.length} were kept`);
});

test('pages show them as text', () =>
  journey(page, 'hostile pages', async () => {
    for (const start of ['/settings/logs', '/contacts']) {
      await page.goto(start);
      for (let pages = 0; ; pages += 1) {
        assert.ok(pages < 50, 'a list that does not end');
        assert.deepEqual(await harmless(await page.content()), [], page.url());
        assert.notEqual(await page.title(), 'run');
        const more = page.locator('a[data-more]');
        if ((await more.count()) === 0) break;
        await page.goto(await more.first().getAttribute('href'));
      }
    }
    for (const [at, { id, contact_id: contact }] of delivered.entries()) {
      for (const path of [`/settings/logs/${id}`, contact && at % 4 === 0 && `/contacts/${contact}`].filter(Boolean)) {
        const html = await page.evaluate(async (path) => {
          const response = await fetch(path);
          return response.ok ? response.text() : `<p style="${response.status}">`;
        }, path);
        assert.deepEqual(await harmless(html), [], path);
      }
    }
    const image = delivered[texts.indexOf(own[4])];
    await page.goto(`/settings/logs/${image.id}`);
    await page.getByText('onerror').first().waitFor();
    await assertAccessible(page, 'an attempt with markup in it');
    assert.notEqual(await page.title(), 'run');
    for (const text of own) {
      await page.goto(`/settings/logs?q=${encodeURIComponent(text)}`);
      assert.deepEqual(await harmless(await page.content()), [], page.url());
    }
  }));

test('a file of them goes through the wizard, its report by mail and its failed rows', () =>
  journey(page, 'hostile file', async () => {
    // Every second row fails at its email, so that its texts get into the mail and the failed rows; the others come in.
    const email = (text, at) => (at % 2 === 0 ? text : `guest${at}@example.com`);
    const rows = texts.map((text, at) => [`F-${at}`, text, text, email(text, at)].map(quoted).join(','));
    const file = rollbook.file('naughty.csv', ['Guest ID,Name,Remark,Email', ...rows, ''].join('\r\n'));
    await page.goto('/imports/new');
    await page.getByLabel('File', { exact: true }).setInputFiles(file);
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    assert.deepEqual(await harmless(await page.content()), [], 'the mapping page');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.locator('#count-rows').waitFor();
    assert.deepEqual(await harmless(await page.content()), [], 'the review');
    await page.getByRole('button', { name: /^Import \d+ rows?$/ }).click();
    await page.getByRole('link', { name: 'See every row in the log' }).first().waitFor();
    assert.deepEqual(await harmless(await page.content()), [], 'the result');
    const id = new URL(page.url()).pathname.split('/').at(-1);
    const failed = await get(`/imports/${id}/failed-rows.csv`);
    assertNoFormula(failed, 'failed rows');
    assert.ok(cells(failed).length > texts.length * 0.4);

    const end = Date.now() + 30_000;
    while (mail.mails.length === 0) {
      assert.ok(Date.now() < end, 'no report came');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [{ parsed, to }] = mail.mails;
    assert.deepEqual(to, [admin.email]);
    const scripts = (await harmless(parsed.html)).filter((found) => !found.startsWith('style='));
    assert.deepEqual(scripts, [], 'the mail');
    for (const { content } of parsed.attachments) assertNoFormula(content.toString('utf8'), 'the attachment');
  }));

test('no export holds what a spreadsheet would run, and the contacts come in again as they are', async () => {
  assertNoFormula(await get('/logs/export?format=csv'), 'the log');
  const csv = await get('/contacts/export?format=csv');
  assertNoFormula(csv, 'contacts');
  const path = rollbook.file('again.csv', csv);
  const told = JSON.parse(await rollbook.cli('import', path, '--json'));
  assert.ok(told.records > texts.length, JSON.stringify(told));
  assert.equal(told.unchanged, told.records, JSON.stringify(told));
});
