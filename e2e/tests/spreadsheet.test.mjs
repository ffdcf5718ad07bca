// A spreadsheet as people have them: the guests on the second sheet, below a title, with a number that lost its zero.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';
import { workbook, zip } from '../support/workbook.mjs';

const guests = workbook({
  Remarks: [['Made on Tuesday'], ['by the front desk']],
  'Guests & more': [
    ['Arrivals of calendar week 47'],
    ['Kundennummer', 'Name', 'Telefon', 'PLZ', 'Geburtstag'],
    [{ padded: 17 }, 'Liesl Weber', 301234567, { padded: 1067 }, { date: 32991 }],
    [{ padded: 18 }, 'Jonas Berg', '0171 3920012', { padded: 24103 }],
    [{ padded: 19 }, 'Ana Souza', 555, { padded: 4109 }],
  ],
});

let rollbook;
let browser;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const upload = async (name, content) => {
  await page.goto('/imports/new');
  await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file(name, content));
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
};
const run = async () => {
  await page.getByRole('button', { name: 'Review' }).click();
  await page.getByRole('button', { name: /^Import \d/ }).click();
  await page.getByRole('link', { name: 'See every row in the log' }).waitFor();
};
const goes = (column) => page.getByRole('combobox', { name: column, exact: true }).inputValue();

test('sheet and header row are chosen with an immediate preview, and cells come as they are seen', () =>
  journey(page, 'spreadsheet', async () => {
    await upload('Anreisen.xlsx', guests);
    // The first sheet has no guests.
    await page.getByRole('cell', { name: 'by the front desk' }).or(page.getByText('by the front desk')).first().waitFor();
    await page.getByLabel('Sheet').selectOption({ label: 'Guests & more' });
    const first = page.getByRole('region', { name: 'First rows of the file' });
    await first.getByRole('cell', { name: '01067' }).waitFor();
    for (const [column, field] of [['Kundennummer', 'external_id'], ['Telefon', 'phone'], ['PLZ', 'postal_code'], ['Geburtstag', 'birthday']]) {
      assert.equal(await goes(column), field, column);
    }
    await first.getByRole('cell', { name: '00017' }).waitFor();
    await first.getByRole('cell', { name: '1990-04-28' }).waitFor();
    await assertAccessible(page, 'mapping of a spreadsheet');

    // Said otherwise, the title is the header; said right again, it is not.
    await page.getByLabel(/^Header row/).fill('1');
    await page.getByLabel(/^Header row/).blur();
    await page.getByRole('columnheader', { name: 'Arrivals of calendar week 47' }).first().waitFor();
    await page.getByLabel(/^Header row/).fill('2');
    await page.getByLabel(/^Header row/).blur();
    await first.getByRole('columnheader', { name: 'Telefon' }).waitFor();

    await run();
    assert.equal(await page.locator('#count-created').innerText(), '2');
    assert.equal(await page.locator('#count-failed').innerText(), '1');
    await page.goto('/contacts?q=Liesl');
    await page.getByRole('link', { name: 'Liesl Weber' }).click();
    // The zero that the spreadsheet had taken from the number is back; the ones that it shows are kept.
    for (const value of ['+49 30 1234567', '00017', '01067']) await page.getByText(value).first().waitFor();
  }));

test('the failed rows of a spreadsheet are CSV, and come back as its continuation', () =>
  journey(page, 'failed rows of a spreadsheet', async () => {
    await page.goto('/imports');
    await page.getByRole('link', { name: 'Anreisen.xlsx', exact: true }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download failed rows' }).click();
    const text = readFileSync(await (await download).path(), 'utf8');
    assert.match(text, /^\uFEFFKundennummer,Name,Telefon,PLZ,Geburtstag,_row,_reason\r\n00019,Ana Souza,555,04109,,3,/);
    await upload('korrigiert.csv', text.replace(',555,', ",'+351 21 123 4567,"));
    await page.getByText('Continues Anreisen.xlsx: 1 failed row').waitFor();
    await run();
    assert.equal(await page.locator('#count-created').innerText(), '1');
  }));

test('a spreadsheet in an archive is read out of it, and a broken one is refused with what to do', () =>
  journey(page, 'archive', async () => {
    const csv = 'Kundennummer;Name\r\n00020;Zoë Zipp\r\n';
    await upload('gäste.zip', zip({ 'gäste.csv': csv }));
    await page.getByRole('cell', { name: 'Zoë Zipp' }).first().waitFor();
    await page.goto('/imports/new');
    await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('broken.xlsx', guests.subarray(0, 900)));
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('alert').filter({ hasText: 'broken.xlsx' }).waitFor();
    page.problems = page.problems.filter((problem) => !/status of 4\d\d/.test(problem));
  }));
