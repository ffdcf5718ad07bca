// A file with every kind of defect goes in clean within the wizard: cells are changed in place, groups at once.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const script = '"><script>alert(1)</script>';
const file = [
  'Guest ID,Name,Phone,Email,Birthday,level,City',
  '1,Anna Weber,+49 30 1234567,anna@weber.example,1990-05-17,Gold,Berlin',
  '2,Ben Weiss,020 7946 0018,ben@weiss.example,,,Leeds',
  '3,Cora Klein,020 7946 0019,cora@klein.example,,,York',
  '4,Dora Gross,,dora(at)gross.example,,,Wien',
  '5,Emil Blau,,emil@blau.example,1990-02-31,,Graz',
  '6,Fritz Rot,,fritz@rot.example,,Platin,Linz',
  '1,Anna Weber,+49 30 1234567,anna@weber.example,1990-05-17,Gold,Potsdam',
  '8,Otto Neu,+49 30 9999999,taken@example.com,,,Kiel',
  `9,${'Lang '.repeat(60)},,lang@example.com,,,Bonn`,
  '10,Hans\u0001Grün,,hans@gruen.example,,,Köln',
  ',,,,,,',
  `11,"${script.replaceAll('"', '""')}",,eva@example.com,,,${'"""=1+1"""'}`,
].join('\n');

let rollbook, browser, page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('field', 'add', 'level', '--label', 'Level', '--type', 'choice', '--option', 'gold=Gold', '--option', 'silver=Silver');
  await rollbook.cli('source', 'add', 'desk');
  const key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
  await rollbook.post('desk', key, { name: 'Karl Alt', phone: '+49 30 9999999' });
  await rollbook.post('desk', key, { name: 'Kai Auch', email: 'taken@example.com' });
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

const count = async (name, on = page) => Number((await on.locator(`#count-${name}`).innerText()).replaceAll(',', ''));
const row = (number, on = page) => on.locator(`#row-${number}`);
const verdict = (number, word, on = page) => row(number, on).locator('.tag', { hasText: word }).waitFor();
const group = (title, on = page) => on.locator('.group', { hasText: title });

/** Every contact, without the time of its last change. */
const contacts = async () => {
  const lines = (await rollbook.cli('contacts', 'export', '--format', 'json')).trim().split('\n');
  return lines.map((line) => ({ ...JSON.parse(line), updated_at: undefined }));
};

const upload = async (on, name, text) => {
  await on.goto('/imports/new');
  await on.getByLabel('File', { exact: true }).setInputFiles(rollbook.file(name, text));
  await on.getByRole('button', { name: 'Upload' }).click();
  await on.getByRole('heading', { name: 'Which column is what?' }).waitFor();
  await on.getByRole('button', { name: 'Review' }).click();
  await on.getByRole('heading', { name: 'Review before anything is written' }).waitFor();
  await on.locator('#count-rows').waitFor();
};

test('a file with every kind of defect goes in clean within the wizard', () =>
  journey(page, 'review', async () => {
    const then = await contacts();
    await upload(page, 'guests.csv', file);
    assert.equal(await count('rows'), 12);
    assert.equal(await count('failed'), 9);
    await page.getByText('9 rows fail and will not be imported.').waitFor();
    await verdict(7, 'Update');
    await row(7).getByRole('link', { name: 'same person as row 1' }).waitFor();
    await row(7).getByText('Potsdam').first().waitFor();
    await assertAccessible(page, 'review');

    // A group at once: the numbers of two rows are British.
    await group('no country code').locator('summary').click();
    await group('no country code').getByLabel(/numbers of/).fill('GB');
    await group('no country code').getByRole('button', { name: 'Set country' }).click();
    await page.getByText('2 rows changed.').waitFor();
    await verdict(2, 'Create');
    await row(2).getByText('+44 20 7946 0018').waitFor();

    // Find and replace, counted first.
    const emails = group('Email: not an email address');
    await emails.locator('summary').click();
    await emails.getByLabel('Find').fill('(at)');
    await emails.getByLabel('Replace with').fill('@');
    await emails.getByRole('button', { name: 'How many?' }).click();
    await page.getByText('That would change 1 row. Nothing was changed yet.').waitFor();
    await verdict(4, 'Fails');
    await emails.locator('summary').click();
    await emails.getByLabel('Find').fill('(at)');
    await emails.getByLabel('Replace with').fill('@');
    await emails.getByRole('button', { name: 'Replace', exact: true }).click();
    await page.getByText('1 row changed.').waitFor();
    await verdict(4, 'Create');

    await group('a control character').locator('summary').click();
    await page.getByRole('button', { name: 'Take the control characters out' }).click();
    await verdict(10, 'Create');

    await group('Nothing in the row').locator('summary').click();
    await page.getByRole('button', { name: 'Leave 1 row out' }).click();
    await verdict(11, 'Left out');

    // Cells, in place: the list of failed rows stays where it is.
    await page.locator('#tab-failed').click();
    await row(5).getByLabel('Birthday').fill('1990-02-28');
    await row(5).getByLabel('Birthday').press('Enter');
    await verdict(5, 'Create');
    await page.locator('#review-status', { hasText: 'Row 5: Create' }).waitFor({ state: 'attached' });
    await row(6).getByLabel('level').fill('silver');
    await row(6).getByLabel('level').blur();
    await verdict(6, 'Create');
    await row(8).getByText(/already belongs to Kai Auch/).waitFor();
    await row(8).getByLabel('Email').fill('');
    await row(8).getByRole('button', { name: 'Save' }).click();
    await verdict(8, 'Update');
    await row(9).getByLabel('Name').fill('Lena Lang');
    await row(9).getByRole('button', { name: 'Save' }).click();
    await verdict(9, 'Create');
    await page.locator('#tab-failed .count', { hasText: /^0$/ }).waitFor();
    await assertAccessible(page, 'mended review');

    // One change is thought better of; a row is left out and put back.
    await page.locator('#tab-all').click();
    await row(3).getByText('Change its cells').click();
    await row(3).getByLabel('City').fill('Bath');
    await row(3).getByRole('button', { name: 'Leave this row out' }).click();
    await verdict(3, 'Left out');
    await row(3).getByRole('button', { name: 'Put it back' }).click();
    await verdict(3, 'Create');

    await page.getByRole('button', { name: 'Import 11 rows' }).click();
    await page.getByRole('link', { name: 'See every row in the log' }).first().waitFor();
    assert.deepEqual(
      { created: await count('created'), updated: await count('updated'), failed: await count('failed') },
      { created: 9, updated: 2, failed: 1 },
    );
    const result = page.url();
    await page.goto('/contacts?q=Cora');
    await page.getByRole('link', { name: 'Cora Klein' }).click();
    await page.getByText('Bath').waitFor();
    assert.equal((await contacts()).length, then.length + 9);

    // Taken back, everything is as it was before the file came.
    await page.goto(result);
    await page.getByRole('link', { name: 'Undo this import' }).click();
    await page.getByRole('button', { name: 'Undo this import' }).click();
    await page.getByRole('link', { name: 'See every record in the log' }).waitFor();
    assert.equal(await count('removed'), 9);
    assert.deepEqual(await contacts(), then);
  }));

test('a review works without scripts, and shows hostile cells as text', async () => {
  const plain = await open(browser, rollbook.url, { javaScriptEnabled: false });
  await journey(plain, 'review without scripts', async () => {
    await signIn(plain);
    await upload(plain, 'plain.csv', `Name,Email\n${script.replaceAll('"', '')},x${script.replaceAll('"', '')}\nAnna,anna@\n`);
    assert.equal(await count('failed', plain), 2);
    assert.equal(await row(1, plain).getByLabel('Email').inputValue(), `x${script.replaceAll('"', '')}`);
    await row(2, plain).getByLabel('Email').fill('anna@new.example');
    await row(2, plain).getByRole('button', { name: 'Save' }).click();
    await verdict(2, 'Create', plain);
    await row(1, plain).getByRole('button', { name: 'Leave this row out' }).click();
    await verdict(1, 'Left out', plain);
    await plain.getByText('2 rows were changed in this review.').waitFor();
    await plain.getByRole('button', { name: 'Undo these changes' }).click();
    assert.equal(await count('failed', plain), 2);
    await plain.getByRole('link', { name: 'Back to the columns' }).click();
    await plain.getByRole('heading', { name: 'Which column is what?' }).waitFor();
  });
  await plain.context().close();
});

test('whoever may not import may not look into a review or change it', async () => {
  const password = (await rollbook.cli('user', 'add', 'view@hotel.example', '--role', 'viewer')).trim();
  const imports = await page.request.get('/imports');
  const id = (await imports.text()).match(/\/imports\/([0-9a-f-]{36})/)[1];
  const viewer = await open(browser, rollbook.url);
  await viewer.goto('/');
  await viewer.getByLabel('Email').fill('view@hotel.example');
  await viewer.getByLabel('Password').fill(password);
  await viewer.getByRole('button', { name: 'Sign in' }).click();
  await viewer.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
  assert.equal((await viewer.request.get(`/imports/${id}/review`)).status(), 403);
  for (const path of ['review', 'rows/1', 'fixes', 'edits/undo', 'start', 'mapping']) {
    const headers = { 'sec-fetch-site': 'same-origin' };
    const refused = await viewer.request.post(`/imports/${id}/${path}`, { form: { group: 'x', fix: 'drop' }, headers });
    assert.equal(refused.status(), 403, path);
  }
  await viewer.context().close();
});

test('a review fits on a phone', async () => {
  const phone = await open(browser, rollbook.url, { viewport: { width: 390, height: 844 } });
  await journey(phone, 'review on a phone', async () => {
    await signIn(phone);
    await upload(phone, 'phone.csv', file);
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the review is ${wide} px wider than the screen`);
    await assertAccessible(phone, 'review on a phone');
  });
  await phone.context().close();
});
