// What others write between review and run: the rows of which something else became are listed, and each tells why.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const file = [
  'Kundennummer,Name,Telefon,Email,City',
  'K-1,Liesl Weber,030 1234567,liesl@weber.example,Berlin',
  'K-2,Tom Okafor,+44 7400 123456,tom@okafor.example,London',
  'K-3,Ana Souza,+351 21 123 4567,ana@souza.example,Porto',
  'K-4,Jonas Berg,,jonas@berg.example,Kiel',
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
  assert.equal((await rollbook.post('desk', key, { name: 'Jonas Berg', email: 'jonas@berg.example', city: 'Kiel', id: 'K-4' })).status, 201);
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const review = async () => {
  await page.goto('/imports/new');
  await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('guests.csv', file));
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
  await page.getByRole('button', { name: 'Review' }).click();
  await page.locator('#count-rows').waitFor();
};
const count = async (name) => Number(await page.locator(`#count-${name}`).innerText());

test('rows that come out otherwise than reviewed are listed with what was expected', () =>
  journey(page, 'drift', async () => {
    await review();
    // Three are new, the last is there already and equal.
    assert.equal(await count('created'), 3);

    // While somebody looks at the review, another system delivers three of them, one of those as two people.
    assert.equal((await rollbook.post('desk', key, { name: 'L. Weber', email: 'liesl@weber.example' })).status, 201);
    assert.equal((await rollbook.post('desk', key, { name: 'Ana', phone: '+351 21 123 4567' })).status, 201);
    assert.equal((await rollbook.post('desk', key, { name: 'A. Souza', email: 'ana@souza.example' })).status, 201);
    assert.equal((await rollbook.post('desk', key, { id: 'K-4', city: 'Lübeck' })).status, 200);

    await page.getByRole('button', { name: 'Import 4 rows' }).click();
    const drift = page.getByText('3 rows came out');
    await drift.waitFor();
    await page.getByText('because contacts changed between the two').waitFor();
    await drift.click();
    const listed = page.locator('ul.drift > li');
    assert.deepEqual(await listed.allInnerTexts(), [
      'Row 1 (Liesl Weber) was to create a contact; it updated contact 2',
      'Row 3 (Ana Souza) was to create a contact; it failed',
      'Row 4 (Jonas Berg) was to change nothing of contact 1; it updated contact 1',
    ]);
    await assertAccessible(page, 'result with rows that drifted');
    await listed.first().getByRole('link', { name: 'Row 1' }).click();
    await page.getByRole('heading', { name: 'Liesl Weber · updated' }).waitFor();
    await page.getByText('In the review this record was to create a contact').waitFor();
    await assertAccessible(page, 'attempt of a row that drifted');
  }));
