// Whole journeys: sign in, a file with good, bad and repeated rows, and the Contact Import Log as its readers use it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook, admin } from '../support/rollbook.mjs';

const file = [
  'Kundennummer;Name;Telefon;E-Mail;Ort;Bemerkung',
  'K-1;Liesl Weber;030 1234567;liesl@weber.example;Berlin;',
  'K-2;Tom Okafor;+44 7400 123456;tom.okafor@mail.example;London;"zwei',
  'Zeilen"',
  'K-3;Ana Souza;555-01;ana@souza.example;Porto;',
  'K-1;Liesl Weber;+49 30 1234567;L.WEBER@weber.example;Potsdam;',
  ';Jonas Berg;;not-an-email;Kiel;',
  ';Only A Name;;;;<script>alert(1)</script>',
  '',
].join('\r\n');

let rollbook;
let browser;
let key;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk', '--mode', 'automatic');
  key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
  browser = await launch();
  page = await open(browser, rollbook.url);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const row = (name) => page.getByRole('row').filter({ hasText: name });
const tab = (name) => page.getByRole('navigation', { name: 'Result' }).getByRole('link', { name });
const rows = () => page.locator('#rows > tr');

test('a wrong password is refused and a right one opens the product', () =>
  journey(page, 'sign in', async () => {
    await page.goto('/settings/logs');
    await assertAccessible(page, 'sign in');
    await page.getByLabel('Email').fill(admin.email);
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    page.problems.length = 0; // The browser reports the refused sign-in; that is what was asked for.
    await page.getByLabel('Password').fill(admin.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/settings/logs');
    await page.getByRole('heading', { name: 'Contact Import Log' }).waitFor();
  }));

test('an empty installation teaches', () =>
  journey(page, 'empty', async () => {
    for (const path of ['/settings/logs', '/contacts', '/imports', '/settings/sources']) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await assertAccessible(page, `empty ${path}`);
    }
    await page.goto('/settings/logs');
    await page.getByText('Nothing imported yet').waitFor();
    await page.goto('/contacts');
    await page.getByText('curl').first().waitFor();
  }));

test('a file with good, bad and repeated rows is uploaded, mapped and run', () =>
  journey(page, 'upload', async () => {
    await page.goto('/imports/new');
    await assertAccessible(page, 'upload');
    await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('gäste.csv', file));
    await page.getByRole('button', { name: 'Upload' }).click();

    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    await assertAccessible(page, 'mapping');
    const goesTo = (column) => page.getByRole('combobox', { name: column, exact: true });
    assert.equal(await goesTo('Kundennummer').inputValue(), 'external_id');
    assert.equal(await goesTo('Telefon').inputValue(), 'phone');
    assert.equal(await goesTo('E-Mail').inputValue(), 'email');
    await page.getByText('liesl@weber.example').first().waitFor();
    await goesTo('Bemerkung').selectOption('notes');
    await goesTo('Ort').selectOption('city');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('button', { name: /^Import \d/ }).click();

    await page.getByRole('link', { name: 'See every row in the log' }).waitFor();
    await assertAccessible(page, 'result');
    const count = async (name) => Number(await page.locator(`#count-${name}`).innerText());
    assert.deepEqual(
      { records: await count('records'), created: await count('created'), updated: await count('updated'), failed: await count('failed') },
      { records: 6, created: 3, updated: 1, failed: 2 },
    );
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download failed rows' }).click();
    const failed = readFileSync(await (await download).path(), 'utf8');
    assert.match(failed, /_row/);
    assert.match(failed, /_reason/);
    assert.match(failed, /555-01/);

    await page.goto('/imports');
    await page.getByRole('link', { name: 'gäste.csv' }).first().waitFor();
    await assertAccessible(page, 'import history');
  }));

test('the log opens on the past 15 minutes with its ten columns and counted tabs', () =>
  journey(page, 'log', async () => {
    await page.goto('/settings/logs');
    await page.getByRole('button', { name: /Past 15 minutes/ }).waitFor();
    const headers = await page.getByRole('columnheader').allInnerTexts();
    assert.deepEqual(
      headers.map((text) => text.trim()),
      ['Result', 'Info', 'Action', 'Name', 'Phone Number', 'Email', 'Source', 'Received at', 'Matched On', 'Details'],
    );
    await assertAccessible(page, 'log');
    for (const [name, count] of [['SUCCESS', 4], ['WARNING', 0], ['FAILURE', 2], ['ALL', 6]]) {
      await tab(name).click();
      await page.locator(`#tab-${name.toLowerCase()}[aria-current]`).waitFor();
      assert.match(await tab(name).innerText(), new RegExp(`${name}\\s*${count}$`));
      assert.equal(await rows().count(), count);
      assert.equal(new URL(page.url()).searchParams.get('result') ?? 'all', name.toLowerCase());
    }
    const updated = rows().filter({ hasText: 'Updated' });
    assert.equal(await updated.locator('.c-matched').innerText(), 'External ID');
    const created = row('Tom Okafor');
    assert.equal(await created.locator('.c-matched').innerText(), '');
    assert.equal(await created.locator('.c-info').innerText(), '');
  }));

test('info is told on hover and on keyboard focus', () =>
  journey(page, 'info', async () => {
    await page.goto('/settings/logs?result=failure');
    const why = row('Ana Souza').getByRole('button', { name: /Why/ });
    const tip = page.getByRole('tooltip').filter({ hasText: '555-01' });
    await why.hover();
    await tip.waitFor({ state: 'visible' });
    await page.mouse.move(2, 2);
    await tip.waitFor({ state: 'hidden' });
    await why.focus();
    await tip.waitFor({ state: 'visible' });
    assert.match(await tip.innerText(), /not a valid phone number for DE/);
    await page.keyboard.press('Escape');
    await tip.waitFor({ state: 'hidden' });
  }));

test('details show the whole payload, the issues, the changes and the ways on', () =>
  journey(page, 'details', async () => {
    await page.goto('/settings/logs');
    await rows().filter({ hasText: 'Updated' }).getByRole('link', { name: /View details/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('region', { name: 'Changes' }).waitFor();
    await assertAccessible(page, 'details');
    const changes = await dialog.getByRole('region', { name: 'Changes' }).innerText();
    assert.match(changes, /liesl@weber\.example[\s\S]*L\.WEBER@weber\.example/);
    assert.match(changes, /Berlin[\s\S]*Potsdam/);
    await dialog.getByText('Raw', { exact: true }).click();
    assert.match(
      await dialog.getByLabel('Payload, raw').innerText(),
      /K-1;Liesl Weber;\+49 30 1234567;L\.WEBER@weber\.example;Potsdam;/,
    );
    const own = await dialog.getByRole('link', { name: 'Open as page' }).getAttribute('href');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'hidden' });

    await page.goto(own);
    await page.getByRole('region', { name: 'Payload' }).first().waitFor();
    await assertAccessible(page, 'attempt');
    await page.getByRole('link', { name: 'Open contact' }).click();
    await page.getByRole('heading', { name: 'Liesl Weber' }).waitFor();
    await assertAccessible(page, 'contact');
    await page.getByText('Potsdam').first().waitFor();
  }));

test('a phone is found in any format, and a part of the payload too', () =>
  journey(page, 'search', async () => {
    await page.goto('/settings/logs');
    for (const [text, found] of [['030/12 34-567', 2], ['0049 30 1234567', 2], ['L.WEBER', 1], ['zeilen', 1], ['K-3', 1], ['nobody at all', 0]]) {
      await page.getByLabel('Search the log').fill(text);
      await page.waitForURL((url) => url.searchParams.get('q') === text);
      await page.waitForFunction(() => document.getElementById('log').getAttribute('aria-busy') === 'false');
      assert.equal(await rows().count(), found, text);
    }
    await assertAccessible(page, 'nothing found');
  }));

test('the range is chosen from presets, from and to, and by dragging on the chart', () =>
  journey(page, 'range', async () => {
    await page.goto('/settings/logs');
    await page.locator('#range-button').click();
    await assertAccessible(page, 'date selector');
    await page.getByRole('dialog', { name: 'Time range' }).getByRole('link', { name: /24 hours/ }).click();
    await page.getByRole('button', { name: /24 hours/ }).waitFor();
    assert.equal(await rows().count(), 6);

    await page.goto('/settings/logs?from=2020-01-01T00:00&to=2020-01-02T00:00');
    await page.getByText('No attempts in this time').waitFor();
    await assertAccessible(page, 'nothing in this range');
    await page.locator('#empty').getByRole('link').click();
    await rows().first().waitFor();

    await page.goto('/settings/logs');
    const chart = await page.locator('svg.histogram').boundingBox();
    await page.mouse.move(chart.x + chart.width * 0.1, chart.y + chart.height / 2);
    await page.mouse.down();
    await page.mouse.move(chart.x + chart.width * 0.5, chart.y + chart.height / 2, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL((url) => url.searchParams.has('from') && url.searchParams.has('to'));
  }));

test('rows arriving from another system appear while the log is open', () =>
  journey(page, 'live', async () => {
    await page.goto('/settings/logs');
    await rows().first().waitFor();
    const created = await rollbook.post('desk', key, { external_id: 'D-1', name: 'Mei Lin', phone: '+85251234567' });
    assert.equal(created.status, 201);
    await row('Mei Lin').waitFor();
    await page.getByRole('button', { name: 'Live' }).click();
    assert.equal(await page.getByRole('button', { name: 'Live' }).getAttribute('aria-pressed'), 'false');
    const warned = await rollbook.post('desk', key, { external_id: 'D-2', name: 'Carlos Díaz', email: 'nope' });
    assert.equal(warned.body.result, 'warning');
    await page.getByRole('button', { name: 'Live' }).click();
    await row('Carlos Díaz').waitFor();
    assert.match(await tab('WARNING').innerText(), /1$/);
    await page.getByLabel('Source', { exact: true }).selectOption('desk');
    await page.waitForURL((url) => url.searchParams.get('source') === 'desk');
    await row('Liesl Weber').first().waitFor({ state: 'detached' });
    assert.equal(await rows().count(), 2);
  }));

test('what is shown is exported', () =>
  journey(page, 'export', async () => {
    await page.goto('/settings/logs?range=24h&source=desk');
    await page.getByRole('button', { name: 'Export' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: /^CSV/ }).click();
    const csv = readFileSync(await (await download).path(), 'utf8');
    assert.equal(csv.trim().split('\n').length, 3);
    assert.match(csv, /Carlos Díaz/);
  }));

test('contacts are listed and found, and text from a file is never HTML', () =>
  journey(page, 'contacts', async () => {
    await page.goto('/contacts');
    await assertAccessible(page, 'contacts');
    await page.getByRole('searchbox').fill('0044 7400 123456');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Tom Okafor' }).click();
    await page.getByText('zwei').first().waitFor();
    await page.goto('/contacts');
    await page.getByRole('link', { name: 'Only A Name' }).click();
    await page.getByText('<script>alert(1)</script>').first().waitFor();
  }));

test('a source is added, its key shown once, used, and the source paused', () =>
  journey(page, 'sources', async () => {
    await page.goto('/settings/sources/new');
    await assertAccessible(page, 'add a source');
    await page.getByLabel('Name', { exact: true }).fill('Spa till');
    await page.getByRole('button', { name: 'Add source' }).click();
    await page.getByRole('heading', { name: 'Spa till' }).waitFor();
    await page.getByLabel('Name of a new key').fill('till 1');
    await page.getByRole('button', { name: 'Create key' }).click();
    const secret = await page.locator('#secret').innerText();
    await assertAccessible(page, 'source');
    assert.equal((await rollbook.post('spa-till', secret, { email: 'ida@spa.example' })).status, 201);
    await page.goto('/settings/sources/spa-till');
    assert.equal(await page.locator('#secret').count(), 0);
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Pause it' }).click();
    await page.getByText('Paused', { exact: true }).first().waitFor();
    let refused;
    for (const until = Date.now() + 5_000; Date.now() < until && !(refused?.status >= 400); ) {
      refused = await rollbook.post('spa-till', secret, { email: 'ida@spa.example' });
    }
    assert.match(JSON.stringify(refused.body), /paused/);
    await page.goto('/settings/sources');
    await assertAccessible(page, 'sources');
  }));

test('everything is there on a phone', async () => {
  const phone = await open(browser, rollbook.url, { viewport: { width: 390, height: 844 } });
  await journey(phone, 'phone', async () => {
    await signIn(phone);
    for (const path of ['/settings/logs?range=24h', '/contacts', '/imports', '/imports/new', '/settings/sources']) {
      await phone.goto(path);
      const wide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px wider than the screen`);
      await assertAccessible(phone, `${path} on a phone`);
    }
    await phone.getByRole('button', { name: 'Menu' }).click();
    await phone.getByRole('link', { name: 'Logs' }).click();
    await phone.getByRole('heading', { name: 'Contact Import Log' }).waitFor();
  });
  await phone.context().close();
});

test('address cards are uploaded, mapped and run like any file', () =>
  journey(page, 'cards', async () => {
    const card = (name, phone) => `BEGIN:VCARD\r\nVERSION:3.0\r\nFN:${name}\r\nTEL;TYPE=CELL:${phone}\r\nEND:VCARD\r\n`;
    const cards = card('Mira Lund', '+46 70 174 06 05') + card('Ben Ode', '12');
    await page.goto('/imports/new');
    await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('cards.vcf', cards));
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    await assertAccessible(page, 'mapping of cards');
    assert.equal(await page.getByRole('combobox', { name: 'Name', exact: true }).inputValue(), 'name');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('button', { name: /^Import \d/ }).click();
    await page.getByRole('link', { name: 'See every row in the log' }).click();
    await row('Mira Lund').getByText('Created').waitFor();
    await row('Ben Ode').getByText('Failure').waitFor();
    await row('Ben Ode').getByRole('link', { name: /details/i }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Raw', { exact: true }).click();
    assert.match(await dialog.getByLabel('Payload, raw').innerText(), /BEGIN:VCARD[^]*FN:Ben Ode/);
  }));
