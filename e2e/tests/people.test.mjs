// People: an invitation and what becomes of it, roles, two workspaces, a second factor, sessions, the audit.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook, admin } from '../support/rollbook.mjs';

const bob = { email: 'bob@hotel.example', password: 'blaue Hunde singen leise' };

let rollbook;
let browser;
let page;
let bobs;
let secret;
let recovery;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--region', 'DE');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk');
  const key = (await rollbook.cli('key', 'create', '--source', 'desk')).trim();
  await rollbook.post('desk', key, { id: 'G-1', name: 'Zita Weber', phone: '030 1234567', email: 'zita@weber.example' });
  await rollbook.cli('workspace', 'add', 'Harbour Clinic', '--region', 'DE');
  await rollbook.cli('user', 'add', admin.email, '--role', 'admin', '--workspace', 'Harbour Clinic');
  browser = await launch();
  page = await open(browser, rollbook.url);
  bobs = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

/** The code that an authenticator app shows at a time. */
function code(base32, step) {
  const bits = [...base32].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', key).update(counter).digest();
  const offset = digest[19] & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const now = () => Math.floor(Date.now() / 30_000);

async function password(who, { email, password }) {
  await who.goto('/sign-in');
  await who.getByLabel('Email').fill(email);
  await who.getByLabel('Password').fill(password);
  await who.getByRole('button', { name: 'Sign in' }).click();
}

test('an administrator invites somebody, who makes an account with the link', () =>
  journey(page, 'invite', async () => {
    await page.goto('/settings/people');
    await assertAccessible(page, 'people');
    await page.getByLabel('Email', { exact: true }).fill(bob.email);
    await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption('viewer');
    await page.getByRole('button', { name: 'Invite' }).click();
    const link = await page.locator('#link').innerText();
    assert.match(link, /\/join\/[\w-]{43}$/);
    await page.getByRole('heading', { name: 'Waiting' }).waitFor();
    await assertAccessible(page, 'people with a link');

    await bobs.goto(new URL(link).pathname);
    await bobs.getByRole('heading', { name: 'Join Harbour Hotels' }).waitFor();
    await assertAccessible(bobs, 'join');
    await bobs.getByLabel('Your name').fill('Bob Archer');
    await bobs.getByLabel('Choose a password').fill('Password2024!');
    await bobs.getByRole('button', { name: 'Create account and join' }).click();
    await bobs.getByRole('alert').filter({ hasText: 'tried first' }).waitFor();
    bobs.problems.length = 0; // The browser reports the refused form; that is what was asked for.
    await bobs.getByLabel('Choose a password').fill(bob.password);
    await bobs.getByRole('button', { name: 'Create account and join' }).click();
    await bobs.waitForURL('**/contacts');
    await bobs.getByText('Zita Weber').waitFor();
    assert.equal(await bobs.getByText('zita@weber.example').count(), 0, 'a viewer sees it masked');
    assert.equal(await bobs.getByRole('link', { name: 'People' }).count(), 0);
  }));

test('a role is changed and takes effect at once', () =>
  journey(page, 'role', async () => {
    await page.goto('/settings/people');
    await page.getByLabel(`Role of ${bob.email}`, { exact: true }).selectOption('importer');
    await page.getByRole('button', { name: `Change the role of ${bob.email}` }).click();
    await page.waitForURL('**/settings/people');
    assert.equal(await page.getByLabel(`Role of ${bob.email}`, { exact: true }).inputValue(), 'importer');
    await bobs.reload();
    await bobs.getByText('zita@weber.example').waitFor();

    await page.getByLabel(`Role of ${admin.email}`, { exact: true }).selectOption('viewer');
    await page.getByRole('button', { name: `Change the role of ${admin.email}` }).click();
    await page.getByRole('alert').filter({ hasText: 'only admin' }).waitFor();
    page.problems.length = 0;
  }));

test('the switcher leads to another workspace, where nothing of the first one is', () =>
  journey(page, 'switch', async () => {
    await page.goto('/contacts');
    await page.getByText('Zita Weber').waitFor();
    await page.locator('summary', { hasText: 'Harbour Hotels' }).click();
    await assertAccessible(page, 'switcher');
    await page.getByRole('button', { name: 'Harbour Clinic' }).click();
    await page.waitForURL('**/contacts');
    await page.locator('summary', { hasText: 'Harbour Clinic' }).waitFor();
    assert.equal(await page.getByText('Zita Weber').count(), 0);
    await page.goto('/settings/people');
    assert.equal(await page.getByText(bob.email).count(), 0);
    await page.locator('summary', { hasText: 'Harbour Clinic' }).click();
    await page.getByRole('button', { name: 'Harbour Hotels' }).click();
    await page.getByText('Zita Weber').waitFor();
  }));

test('a second factor is set up with an app and asked for', () =>
  journey(bobs, 'second factor', async () => {
    await bobs.goto('/account');
    await assertAccessible(bobs, 'account');
    await bobs.getByRole('link', { name: 'Set it up' }).click();
    await bobs.getByRole('img', { name: 'Picture to scan' }).waitFor();
    await assertAccessible(bobs, 'set up a second factor');
    secret = await bobs.locator('input[name=secret]').inputValue();
    const step = now();
    await bobs.getByLabel('Code from the app').fill(code(secret, step));
    await bobs.getByLabel('Your password').fill(bob.password);
    await bobs.getByRole('button', { name: 'Switch it on' }).click();
    await bobs.getByRole('heading', { name: 'Keep these recovery codes' }).waitFor();
    await assertAccessible(bobs, 'recovery codes');
    recovery = await bobs.locator('.codes code').allInnerTexts();
    assert.equal(recovery.length, 10);

    await bobs.getByRole('button', { name: 'Sign out' }).click();
    await bobs.waitForURL('**/sign-in');
    await password(bobs, bob);
    await bobs.getByRole('heading', { name: 'Enter your code' }).waitFor();
    await assertAccessible(bobs, 'second factor');
    await bobs.getByLabel('Code').fill(code(secret, step));
    await bobs.getByRole('button', { name: 'Sign in' }).click();
    await bobs.getByRole('alert').waitFor();
    bobs.problems.length = 0;
    await bobs.getByLabel('Code').fill(code(secret, step + 1));
    await bobs.getByRole('button', { name: 'Sign in' }).click();
    await bobs.waitForURL('**/contacts');
  }));

test('sessions are listed and ended from another device', () =>
  journey(bobs, 'sessions', async () => {
    const other = await open(browser, rollbook.url);
    await password(other, bob);
    await other.getByLabel('Code').fill(recovery[0].toUpperCase());
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.waitForURL('**/contacts');

    await bobs.goto('/account');
    const rows = bobs.getByRole('table', { name: /Sessions/ }).getByRole('row');
    assert.equal(await rows.count(), 3, 'a head and two sessions');
    await bobs.getByRole('button', { name: /Sign out Chrome on Linux/ }).click();
    await bobs.waitForURL('**/account');
    assert.equal(await rows.count(), 2);
    await other.goto('/contacts');
    await other.waitForURL('**/sign-in*');
  }));

test('an administrator removes somebody, who is out at once, and the audit tells it', () =>
  journey(page, 'remove', async () => {
    await page.goto('/settings/people');
    await page.getByRole('button', { name: `Remove ${bob.email}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
    await page.waitForURL('**/settings/people');
    assert.equal(await page.getByText(bob.email).count(), 0);
    await bobs.goto('/contacts');
    await bobs.waitForURL('**/sign-in*');

    await page.goto('/settings/audit');
    await assertAccessible(page, 'audit');
    const audit = page.getByRole('table', { name: /Audit/ });
    for (const text of ['Removed a person', 'Changed the second factor', 'Changed a role', 'Joined', 'Invited a person']) {
      await audit.getByText(text).first().waitFor();
    }
    await page.getByLabel('What was done').selectOption({ label: 'Changed a role' });
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL('**what=role.changed*');
    assert.equal(await audit.getByRole('row').count(), 2, 'a head and one entry');
    assert.match(await audit.innerText(), /bob@hotel\.example, importer/);
  }));
