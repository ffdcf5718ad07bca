// Undo: what it would do is shown before, it restores what was, and what changed since stays and is listed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const earlier = [
  'Kundennummer,Name,Telefon,City',
  'K-1,Liesl Weber,030 1234567,Berlin',
  'K-2,Tom Okafor,+44 7400 123456,London',
  '',
].join('\r\n');

const file = [
  'Kundennummer,Name,Telefon,City',
  'K-1,Liesl Weber-Lang,030 7654321,Potsdam',
  'K-3,Ana Souza,+351 21 123 4567,Porto',
  'K-4,Jonas Berg,+49 171 3920012,Kiel',
  'K-2,,,Leeds',
  '',
].join('\r\n');

let rollbook;
let browser;
let page;
let key;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk', '--mode', 'automatic');
  key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
  rollbook.file('earlier.csv', earlier);
  rollbook.file('guests.csv', file);
  await rollbook.cli('import', 'earlier.csv');
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

/** Imports the file and opens its page. */
const imported = async () => {
  const { import_id: id } = JSON.parse(await rollbook.cli('import', 'guests.csv', '--json'));
  await page.goto(`/imports/${id}`);
  return `/imports/${id}`;
};

/** Every contact, without the time of its last change. */
const contacts = async () => {
  const lines = (await rollbook.cli('contacts', 'export', '--format', 'json')).trim().split('\n');
  return lines.map((line) => ({ ...JSON.parse(line), updated_at: undefined }));
};

const count = async (name) => Number(await page.locator(`#count-${name}`).innerText());
const finished = async () => {
  await page.getByRole('heading', { name: 'Undo of guests.csv' }).waitFor();
  await page.getByRole('link', { name: 'See every record in the log' }).waitFor();
};

test('an undone import leaves everything as it was', () =>
  journey(page, 'undo', async () => {
    const then = await contacts();
    const address = await imported();
    assert.equal((await contacts()).length, 4);
    await page.getByRole('link', { name: 'Undo this import' }).click();

    await page.getByRole('heading', { name: 'Undo this import?' }).waitFor();
    assert.deepEqual(
      [await count('records'), await count('removed'), await count('restored'), await count('kept')],
      [4, 2, 2, 0],
    );
    await page.getByText('4 values of 2 contacts').waitFor();
    await assertAccessible(page, 'preview of an undo');
    assert.equal((await contacts()).length, 4);
    await page.getByRole('button', { name: 'Undo this import' }).click();

    await finished();
    assert.deepEqual([await count('removed'), await count('updated'), await count('failed')], [2, 2, 0]);
    await assertAccessible(page, 'result of an undo');
    assert.deepEqual(await contacts(), then);

    await page.getByRole('link', { name: 'See every record in the log' }).click();
    await page.locator('#rows > tr').nth(3).waitFor();
    assert.deepEqual(await page.locator('#rows .c-action').allInnerTexts(), ['Updated', 'Removed', 'Removed', 'Updated']);
    await page.getByRole('link', { name: 'View details of Ana Souza' }).click();
    const details = page.getByRole('dialog');
    await details.getByText('Takes back what row 2 of guests.csv did.').waitFor();
    await assertAccessible(page, 'details of an undone record');
    await details.getByRole('link', { name: 'Open contact' }).click();
    await page.getByText('This contact was removed.').waitFor();
    await assertAccessible(page, 'a removed contact');

    await page.goto(address);
    await page.getByText('Taken back by guests.csv (done)').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Undo this import' }).count(), 0);
    // An old address leads to the undo.
    await page.goto(`${address}/undo`);
    await finished();
  }));

test('what changed since stays, and the page says why before and after', () =>
  journey(page, 'undo what changed', async () => {
    await imported();
    assert.equal((await rollbook.post('desk', key, { id: 'K-1', city: 'Rostock' })).status, 200);
    assert.equal((await rollbook.post('desk', key, { id: 'K-3', name: 'Ana de Souza' })).status, 200);
    const changed = (await contacts()).find(({ name }) => name === 'Ana de Souza');
    await page.getByRole('link', { name: 'Undo this import' }).click();

    const stays = page.getByRole('region', { name: 'What stays, and why' });
    await stays.getByText('“Rostock” was written after the import').waitFor();
    await stays.getByRole('row').filter({ hasText: 'Ana de Souza' }).getByText('The contact was changed').waitFor();
    assert.deepEqual([await count('removed'), await count('restored'), await count('kept')], [1, 2, 1]);
    await assertAccessible(page, 'preview of an undo that keeps something');
    await page.getByRole('button', { name: 'Undo this import' }).click();

    await finished();
    await page.getByText('Done, some were kept').waitFor();
    const now = await contacts();
    assert.deepEqual(now.find(({ id }) => id === changed.id), changed);
    const liesl = now.find(({ id }) => id === '1');
    assert.deepEqual([liesl.fields.name, liesl.fields.city], ['Liesl Weber', 'Rostock']);
    await page.getByRole('link', { name: 'See what was kept', exact: true }).click();
    await page.getByRole('row').filter({ hasText: 'Ana de Souza' }).waitFor();
    await page.getByRole('link', { name: 'View details of Ana de Souza' }).click();
    await page.getByRole('dialog').getByRole('heading', { name: 'What was kept, and why' }).waitFor();
  }));
