// What failed is replayed from the log: one record, corrected on the spot, and all of a filter once its cause is set right.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

// Nobody has said yet that these numbers are German.
const file = [
  'Kundennummer;Name;Telefon',
  'K-1;Liesl Weber;030 1234567',
  'K-2;Jonas Berg;0171 3920012',
  'K-3;Ana Souza;555',
  '',
].join('\n');

let rollbook;
let browser;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk');
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const rows = () => page.locator('#rows > tr');
/** The browser tells its console of every answer that is no success, also of the one that was meant. */
const expectRefusal = (status) => {
  page.problems = page.problems.filter((problem) => !problem.includes(`status of ${status}`));
};

test('a failed record is corrected on its page, and both attempts lead to each other', () =>
  journey(page, 'replay one', async () => {
    const key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
    const { status, body } = await rollbook.post('desk', key, { name: 'Mrs Weber', phone: '12' });
    assert.equal(status, 422);

    // From the log, in its dialog.
    await page.goto('/settings/logs');
    await rows().first().getByRole('link', { name: 'Details' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Replay this record').click();
    await assertAccessible(page, 'replay in the dialog');
    await dialog.getByLabel('Record').fill('{"name":"Mrs Weber","phone":');
    await dialog.getByRole('button', { name: 'Replay' }).click();

    // What cannot be read is not replayed; what was written is still there.
    const record = page.getByLabel('Record');
    await page.getByText('The edited record cannot be used').waitFor();
    assert.equal(await record.inputValue(), '{"name":"Mrs Weber","phone":');
    await assertAccessible(page, 'attempt with a record that cannot be used');
    expectRefusal(422);
    await record.fill('{"name":"Mrs Weber","phone":"+49 30 7654321"}');
    await page.getByRole('button', { name: 'Replay' }).click();

    await page.getByRole('heading', { name: 'Mrs Weber · created' }).waitFor();
    await page.getByRole('link', { name: 'an earlier attempt' }).click();
    await page.waitForURL(`**/settings/logs/${body.id}`);
    await page.getByRole('heading', { name: 'Mrs Weber · not imported' }).waitFor();
    await page.getByRole('link', { name: 'a later attempt' }).click();
    await page.getByRole('link', { name: 'Open contact' }).click();
    await page.getByText('+49 30 7654321').first().waitFor();
  }));

test('all failures of an import are replayed once their cause is set right', () =>
  journey(page, 'replay all', async () => {
    const path = rollbook.file('gäste.csv', file);
    const summary = await rollbook.cli('import', path, '--json').catch(({ stdout }) => stdout);
    const id = JSON.parse(summary).import_id;
    await rollbook.cli('workspace', 'set', '--region', 'DE');

    await page.goto(`/imports/${id}`);
    await page.getByRole('link', { name: 'See them in the log' }).click();
    await rows().first().waitFor();
    assert.equal(await rows().count(), 3);
    await page.getByRole('link', { name: 'Replay these…' }).click();
    await page.getByRole('heading', { name: 'Replay from the log' }).waitFor();
    await page.getByText('gäste.csv').waitFor();
    await assertAccessible(page, 'what would be replayed');
    await page.getByRole('button', { name: 'Replay 3 records' }).click();

    await page.getByRole('heading', { name: 'Replay of 3 records' }).waitFor();
    await page.getByText('See every row in the log').waitFor();
    assert.equal(await page.locator('#count-created').innerText(), '2');
    assert.equal(await page.locator('#count-failed').innerText(), '1');
    await page.getByText('Replays gäste.csv').waitFor();
    await assertAccessible(page, 'result of a replay');

    // The history tells what it was; the file's own page leads to it.
    await page.goto('/imports');
    await page.getByRole('row').filter({ hasText: 'Replay of 3 records' }).first().waitFor();
    await page.goto(`/imports/${id}`);
    await page.getByText('Replayed by Replay of 3 records').waitFor();

    // Once more there is nothing to do.
    await page.getByRole('link', { name: 'See them in the log' }).click();
    await page.getByRole('link', { name: 'Replay these…' }).click();
    await page.getByText('None of these records can be replayed').waitFor();
    await page.getByRole('link', { name: 'Replay those as well' }).click();
    await page.getByRole('button', { name: 'Replay 3 records' }).waitFor();
  }));

test('a record is mapped otherwise for its replay, in the log and on its own page', () =>
  journey(page, 'replay one mapped', async () => {
    const key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
    const { status, body } = await rollbook.post('desk', key, { Kennung: 'G-7', name: 'Ida Blum', wohnort: 'Kiel' });
    assert.equal(status, 422);
    await page.goto(`/settings/logs/${body.id}`);
    await page.getByText('Replay this record').click();
    await page.getByText('Map its columns otherwise this time').click();
    const goes = (column) => page.getByLabel(`Where ${column} goes`, { exact: true });
    assert.equal(await goes('name').inputValue(), 'name');
    assert.equal(await goes('Kennung').inputValue(), '');
    await assertAccessible(page, 'mapping of a replay');
    // A choice that does not suit the value is a warning, as in any delivery.
    await goes('wohnort').selectOption('birthday');
    await goes('Kennung').selectOption('external_id');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('heading', { name: 'Ida Blum · created' }).waitFor();
    await page.getByText('“Kiel”').first().waitFor();
    await page.getByRole('link', { name: 'Open contact' }).click();
    await page.getByText('G-7').first().waitFor();
  }));

test('all records of an import are mapped otherwise for their replay', () =>
  journey(page, 'replay all mapped', async () => {
    const path = rollbook.file('cities.csv', 'Kundennummer,Name,Wohin\nC-1,Otto Neu,Linz\nC-2,Eva Alt,Graz\n');
    const { import_id: id } = JSON.parse(await rollbook.cli('import', path, '--map', 'Wohin=', '--json'));
    await page.goto(`/settings/logs/replay?import=${id}&range=24h`);
    await page.getByText('Map its columns otherwise this time').click();
    const goes = page.getByLabel('Where Wohin goes');
    assert.equal(await goes.inputValue(), '');
    await page.getByRole('cell', { name: 'Linz' }).waitFor();
    await assertAccessible(page, 'mapping of a replay of many');
    await goes.selectOption('city');
    await page.getByRole('button', { name: 'Replay 2 records' }).click();
    await page.getByRole('heading', { name: 'Replay of 2 records' }).waitFor();
    await page.getByText('See every row in the log').waitFor();
    assert.equal(await page.locator('#count-updated').innerText(), '2');
    await page.goto('/contacts?q=Otto');
    await page.getByRole('link', { name: 'Otto Neu' }).click();
    await page.getByText('Linz').first().waitFor();
  }));

test('who may only look sees no way to replay', async () => {
  const email = 'viewer@hotel.example';
  const password = (await rollbook.cli('user', 'add', email, '--name', 'Vera', '--role', 'viewer')).trim();
  const looking = await open(browser, rollbook.url);
  await journey(looking, 'replay as viewer', async () => {
    await looking.goto('/settings/logs');
    await looking.getByLabel('Email').fill(email);
    await looking.getByLabel('Password').fill(password);
    await looking.getByRole('button', { name: 'Sign in' }).click();
    await looking.locator('#rows > tr').first().getByRole('link', { name: 'Details' }).click();
    await looking.getByRole('dialog').getByText('Your role does not show what was sent').waitFor();
    assert.equal(await looking.getByText('Replay this record').count(), 0);
    assert.equal(await looking.getByRole('link', { name: 'Replay these…' }).count(), 0);
  });
});
