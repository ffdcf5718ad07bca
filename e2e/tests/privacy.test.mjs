// Privacy: a person is erased after a word was typed, does not come back until that is lifted; retention is set.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const file = [
  'Kundennummer,Name,Telefon,Email',
  'K-1,Liesl Weber,030 1234567,liesl@hotel.example',
  'K-2,Tom Okafor,+44 7400 123456,tom@hotel.example',
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
  rollbook.file('guests.csv', file);
  await rollbook.cli('import', 'guests.csv');
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

test('a person is erased and comes back only when that is lifted', async () => {
  await journey(page, 'privacy-erase', async () => {
    await page.goto('/contacts?q=liesl');
    await page.getByRole('link', { name: 'Liesl Weber' }).click();
    await assertAccessible(page, 'a contact that may be erased');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export this person' }).click(),
    ]);
    const person = JSON.parse(readFileSync(await download.path(), 'utf8'));
    assert.equal(person.contact.fields.name, 'Liesl Weber');
    assert.equal(person.files[0].rows.length, 1);

    await page.getByRole('link', { name: 'Erase this person' }).click();
    await assertAccessible(page, 'before a person is erased');
    await page.getByLabel('Type erase to confirm').fill('no');
    await page.getByRole('button', { name: 'Erase this person' }).click();
    await page.getByText('Nothing was changed.').waitFor();
    page.problems.length = 0; // The refusal was meant.
    await page.getByLabel('Type erase to confirm').fill('erase');
    await page.getByRole('button', { name: 'Erase this person' }).click();
    await page.getByRole('heading', { name: 'Erased people' }).waitFor();
    for (let tries = 0; await page.getByText('still looking').isVisible(); tries += 1) {
      assert.ok(tries < 200, 'the erasure ends');
      await page.reload();
    }
    await assertAccessible(page, 'privacy');
    await page.getByText('1 rewritten').waitFor();

    const again = await rollbook.cli('import', 'guests.csv', '--json').catch((error) => error.stdout);
    assert.equal(JSON.parse(again).failed, 1);
    await page.goto('/settings/logs?range=1h&result=failure');
    await page.getByText('Record without a name').or(page.locator('#rows tr')).first().waitFor();
    await page.goto('/settings/privacy');
    await page.getByRole('button', { name: /Lift the erasure/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click();
    await page.getByText('Records may bring this person back.').waitFor();
    const last = JSON.parse(await rollbook.cli('import', 'guests.csv', '--json'));
    assert.deepEqual([last.created, last.failed], [1, 0]);
  });
});

test('retention is set, and what cannot be is said beside its field', async () => {
  await journey(page, 'privacy-retention', async () => {
    await page.goto('/settings/privacy');
    await page.getByLabel('Payloads').fill('soon');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Write a number of days').waitFor();
    page.problems.length = 0; // The refusal was meant.
    await assertAccessible(page, 'privacy with a problem');
    await page.getByLabel('Payloads').fill('90');
    await page.getByLabel('Files').fill('30');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    assert.match(await rollbook.cli('privacy', 'show'), /payloads\s+90 days/);
  });
});
