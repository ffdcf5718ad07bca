// The history of imports: failed rows come back corrected and are recognised, files can be found and downloaded again.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const file = [
  'Kundennummer;Name;Telefon;=E-Mail',
  'K-1;Liesl Weber;030 1234567;liesl@weber.example',
  'K-2;Ana Souza;555-01;ana@souza.example',
  'K-3;Jonas Berg;+49 171 3920012;nobody',
  '',
].join('\r\n');

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

const upload = async (path) => {
  await page.goto('/imports/new');
  await page.getByLabel('File', { exact: true }).setInputFiles(path);
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
};
const run = async () => {
  await page.getByRole('button', { name: 'Review' }).click();
  await page.getByRole('button', { name: /^Import \d/ }).click();
  await page.getByRole('link', { name: 'See every row in the log' }).waitFor();
};
const downloaded = async (link) => {
  const download = page.waitForEvent('download');
  await link.click();
  const done = await download;
  return { name: done.suggestedFilename(), text: readFileSync(await done.path(), 'utf8') };
};
const rows = () => page.locator('#rows > tr');

test('failed rows are corrected, uploaded again, and recognised as the continuation', () =>
  journey(page, 'continuation', async () => {
    await upload(rollbook.file('gäste.csv', file));
    await page.getByRole('combobox', { name: '=E-Mail', exact: true }).selectOption('email');
    await run();
    assert.equal(await page.locator('#count-failed').innerText(), '2');
    const parent = page.url();
    const failed = await downloaded(page.getByRole('link', { name: 'Download failed rows' }));
    assert.equal(failed.name, 'gäste-failed-rows.csv');
    assert.match(failed.text, /^\uFEFFKundennummer,Name,Telefon,'=E-Mail,_row,_reason\r\n/);

    // One of the two is corrected, as somebody would in a spreadsheet.
    await upload(rollbook.file('korrigiert.csv', failed.text.replace(',nobody,', ',jonas@berg.example,')));
    await page.getByText('Continues gäste.csv: 2 failed rows').waitFor();
    assert.equal(await page.getByRole('combobox', { name: '\'=E-Mail', exact: true }).inputValue(), 'email');
    assert.equal(await page.getByRole('combobox', { name: '_reason', exact: true }).inputValue(), '');
    await assertAccessible(page, 'mapping of a continuation');
    await run();
    await page.getByText('Continues gäste.csv: 2 failed rows').waitFor();
    assert.equal(await page.locator('#count-created').innerText(), '1');

    await page.getByRole('link', { name: 'gäste.csv' }).click();
    await page.waitForURL(parent);
    await page.getByText('Continued by korrigiert.csv (1 of 2 now in)').waitFor();
    const how = page.getByRole('region', { name: 'How it was read and mapped' });
    await how.getByText('semicolon').waitFor();
    await how.getByRole('row').filter({ hasText: 'Telefon' }).getByText('Phone Number').waitFor();
    await assertAccessible(page, 'result with its relations');
    await page.getByRole('link', { name: 'korrigiert.csv' }).click();
    await page.getByRole('heading', { level: 1, name: 'korrigiert.csv' }).waitFor();
  }));

test('the file comes back byte for byte', () =>
  journey(page, 'download the file', async () => {
    await page.goto('/imports');
    const original = await downloaded(page.getByRole('link', { name: 'Download gäste.csv' }));
    assert.equal(original.name, 'gäste.csv');
    assert.equal(original.text, file);
    await rows().filter({ hasText: 'Continued by korrigiert.csv (1 of 2 now in)' }).waitFor();
    await page.getByRole('link', { name: 'gäste.csv', exact: true }).first().click();
    const again = await downloaded(page.getByRole('link', { name: 'Download the file' }));
    assert.equal(again.text, file);
  }));

test('the same file again is noticed', () =>
  journey(page, 'same file', async () => {
    await upload(rollbook.file('noch einmal.csv', file));
    await page.getByText('This very file was imported before').waitFor();
    await page.getByRole('listitem').filter({ hasText: 'gäste.csv' }).filter({ hasText: '1 created, 0 updated, 2 failed' }).waitFor();
    await page.getByRole('button', { name: 'Do not import this file' }).click();
    await page.getByText('No record was imported').waitFor();
  }));

test('the history is filtered and paged', () =>
  journey(page, 'history', async () => {
    for (let number = 0; number < 27; number += 1) {
      const path = rollbook.file(`liste ${number}.csv`, `Name,Email\nN${number},n${number}@hotel.example\n`);
      await rollbook.cli('import', path);
    }
    await page.goto('/imports');
    assert.equal(await rows().count(), 25);
    await page.getByRole('link', { name: 'Show older' }).click();
    await page.getByRole('link', { name: 'gäste.csv', exact: true }).first().waitFor();
    assert.equal(await rows().count(), 30);
    await assertAccessible(page, 'history');

    const apply = async () => {
      await page.getByRole('button', { name: 'Apply' }).click();
      await page.waitForLoadState();
    };
    await page.getByLabel('Search by file name').fill('GÄSTE');
    await apply();
    assert.equal(await rows().count(), 1);
    await page.getByLabel('Search by file name').fill('');
    await page.getByLabel('State').selectOption('Cancelled');
    await apply();
    assert.deepEqual(await rows().getByRole('link', { name: 'noch einmal.csv', exact: true }).count(), 1);
    await page.getByLabel('State').selectOption('Any state');
    await page.getByLabel('Who').selectOption('command line');
    await apply();
    assert.equal(await rows().count(), 25);
    await page.getByRole('link', { name: 'Show older' }).click();
    await page.waitForFunction(() => document.querySelectorAll('#rows > tr').length === 27);
    await page.getByLabel('Search by file name').fill('gäste');
    await apply();
    await page.getByRole('heading', { name: 'No import fits' }).waitFor();
    await assertAccessible(page, 'nothing fits');
    await page.getByRole('link', { name: 'Show all imports' }).click();
    assert.equal(await rows().count(), 25);
  }));
