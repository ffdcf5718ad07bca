// The mapping step: how a file is read, questions that only a person can answer, fields made on the spot, mappings kept.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

let rollbook;
let browser;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk', '--namespace', 'desk', '--mode', 'automatic');
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const upload = async (on, name, text) => {
  await on.goto('/imports/new');
  await on.getByLabel('File', { exact: true }).setInputFiles(rollbook.file(name, text));
  await on.getByRole('button', { name: 'Upload' }).click();
  await on.getByRole('heading', { name: 'Which column is what?' }).waitFor();
};
const goesTo = (on, column) => on.getByRole('combobox', { name: column, exact: true });
const row = (on, column) => on.locator('.map-row').filter({ has: on.locator('.c-column', { hasText: column }) });
const run = (on) => on.getByRole('button', { name: /^(Run import|Review)/ }).click();

test('delimiter and header row are changed with an immediate preview', () =>
  journey(page, 'mapping reading', async () => {
    await upload(page, 'odd.csv', 'Guests of today\nName;Telefon;Stadt\nAnna;030 1234567;Kiel\nBen;12;Bonn\n');
    await page.getByLabel('Separator').selectOption('comma');
    await page.locator('#preview', { hasText: '1 column, UTF-8, separated by commas' }).waitFor();
    await page.getByLabel('Separator').selectOption('semicolon');
    await page.locator('#preview', { hasText: 'separated by semicolons' }).waitFor();
    await page.getByLabel('Header row').fill('1');
    await page.getByLabel('Header row').blur();
    await page.locator('#preview', { hasText: 'header in row 1' }).waitFor();
    await page.getByLabel('Header row').fill('2');
    await page.getByLabel('Header row').blur();
    await page.locator('#preview', { hasText: 'header in row 2' }).waitFor();
    assert.equal(await goesTo(page, 'Telefon').inputValue(), 'phone');
    await row(page, 'Telefon').getByText('1 of 2 values cannot be used. Its row would fail.').waitFor();
    await row(page, 'Telefon').getByText('“12” is not a valid phone number').waitFor();
    // Another field: other values can be used.
    await goesTo(page, 'Telefon').selectOption('notes');
    await row(page, 'Telefon').getByText('All 2 values can be used.').waitFor();
    await goesTo(page, 'Telefon').selectOption('');
    await row(page, 'Telefon').getByText('Not imported').waitFor();
    await assertAccessible(page, 'mapping');
  }));

test('a date that the file leaves open is asked for', () =>
  journey(page, 'mapping dates', async () => {
    await upload(page, 'dates.csv', 'Name,Birthday\nAnna,03/04/1990\nBen,05/06/1991\n');
    await row(page, 'Birthday').getByText('Which day is “03/04/1990”?').waitFor();
    await run(page);
    await row(page, 'Birthday').getByText('Say which day is meant before this file is imported.').waitFor();
    page.problems.length = 0; // The browser reports the refused form; that is what was asked for.
    await assertAccessible(page, 'a question');
    await page.getByRole('radio', { name: '3 April 1990' }).check();
    await row(page, 'Birthday').getByText('All 2 values can be used.').waitFor();
    await run(page);
    await page.waitForURL((url) => !url.pathname.endsWith('/mapping'));
  }));

test('a field is made on the spot, and a mapping is saved and used again', () =>
  journey(page, 'mapping profile', async () => {
    const text = 'Kennung;Gast;Stufe\n1;Anna;Gold\n2;Ben;Silver\n';
    await upload(page, 'levels.csv', text);
    await goesTo(page, 'Kennung').selectOption('external_id');
    await goesTo(page, 'Gast').selectOption('name');
    await goesTo(page, 'Stufe').selectOption({ label: 'New field…' });
    const field = row(page, 'Stufe');
    await field.getByLabel('Name', { exact: true }).waitFor();
    await assertAccessible(page, 'a new field');
    await field.getByLabel('Name', { exact: true }).fill('Guest level');
    await field.getByLabel('Its values are').selectOption('choice');
    await field.getByLabel('Choices, one a line').fill('Gold\nSilver');
    await field.getByRole('button', { name: 'Add field' }).click();
    await page.getByText('The field is added, and the column goes to it.').waitFor();
    // What was chosen so far is still chosen.
    assert.equal(await goesTo(page, 'Kennung').inputValue(), 'external_id');
    assert.equal(await goesTo(page, 'Gast').inputValue(), 'name');
    assert.equal(await goesTo(page, 'Stufe').inputValue(), 'guest_level');
    await row(page, 'Stufe').getByText('All 2 values can be used.').waitFor();
    await row(page, 'Gast').locator('.rules summary').click();
    await row(page, 'Gast').getByLabel('If the contact has one').selectOption('only_if_empty');
    await page.getByLabel('Tags for everybody').fill('Levels');
    await page.getByLabel('Imported as').selectOption('desk');
    await page.getByText('Saved mappings').click();
    await page.getByLabel('Name', { exact: true }).last().fill('Levels of guests');
    await page.getByRole('button', { name: 'Save this mapping' }).click();
    await page.getByText('The mapping is saved.').waitFor();
    assert.equal(await page.getByLabel('Imported as').inputValue(), 'desk');
    assert.equal(await page.getByLabel('Tags for everybody').inputValue(), 'Levels');

    await upload(page, 'other.csv', 'Stufe;Kennung;Gast\nGold;3;Cem\n');
    assert.equal(await goesTo(page, 'Gast').inputValue(), '');
    await page.getByText('Saved mappings').click();
    await page.locator('select[name=profile]').selectOption('Levels of guests');
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('The columns are mapped as the profile says.').waitFor();
    assert.equal(await goesTo(page, 'Gast').inputValue(), 'name');
    assert.equal(await goesTo(page, 'Stufe').inputValue(), 'guest_level');
    assert.equal(await page.getByLabel('Tags for everybody').inputValue(), 'Levels');

    await page.getByText('Saved mappings').click();
    await page.getByRole('button', { name: 'Delete it' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete it' }).click();
    await page.getByText('The mapping profile is deleted.').waitFor();
  }));

test('pasted cells and the template are files like any', () =>
  journey(page, 'paste', async () => {
    await page.goto('/imports/new');
    await page.getByText('Or paste cells').click();
    await page.getByLabel(/Cells from a spreadsheet/).fill('Name\tE-Mail\nZoe\tzoe@guests.example\n');
    await page.getByRole('button', { name: 'Use these cells' }).click();
    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    await page.getByText('Pasted cells.tsv').waitFor();
    assert.equal(await goesTo(page, 'E-Mail').inputValue(), 'email');
    await page.goto('/imports/new');
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download a template' }).click();
    assert.match((await download).suggestedFilename(), /template.*\.csv/);
    await assertAccessible(page, 'upload');
  }));

test('everything works without scripts', () =>
  journey(page, 'mapping unscripted', async () => {
    const plain = await open(browser, rollbook.url, { javaScriptEnabled: false });
    await signIn(plain);
    await upload(plain, 'plain.csv', 'Gast;Geboren\nAnna;03/04/1990\n');
    await goesTo(plain, 'Gast').selectOption('name');
    await goesTo(plain, 'Geboren').selectOption('birthday');
    await plain.getByLabel('Separator').selectOption('semicolon');
    await plain.getByRole('button', { name: 'Read again' }).click();
    assert.equal(await goesTo(plain, 'Gast').inputValue(), 'name');
    assert.equal(await plain.getByLabel('Separator').inputValue(), 'semicolon');
    await plain.getByRole('radio', { name: '4 March 1990' }).check();
    await run(plain);
    await plain.waitForURL((url) => !url.pathname.endsWith('/mapping'));
    await plain.context().close();
  }));
