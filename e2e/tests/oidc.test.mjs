// Signing in with an OpenID Connect provider: a certified one of npm's, on loopback, with a browser in between.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import Provider from 'oidc-provider';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook, admin } from '../support/rollbook.mjs';

const people = {
  anna: { email: 'anna@hotel.example', email_verified: true, name: 'Anna Weber' },
  mallory: { email: admin.email, email_verified: false, name: 'Mallory' },
  zoe: { email: 'zoe@hotel.example', email_verified: true, name: 'Zoë Marx' },
};

let rollbook;
let provider;
let server;
let browser;

/** A provider that asks for nothing but a name. */
async function startProvider(rollbookUrl) {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = new Provider(issuer, {
    clients: [{
      client_id: 'rollbook',
      client_secret: 'a secret / with + signs',
      redirect_uris: [`${rollbookUrl}/sign-in/oidc/callback`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['for this test'] },
  });
  provider.on('server_error', (_, error) => console.error(error));
  server.on('request', provider.callback());
  return issuer;
}

before(async () => {
  // The provider has to know where Rollbook is, and Rollbook where the provider is: so the port is settled first.
  const placeholder = createServer().listen(0, '127.0.0.1');
  await once(placeholder, 'listening');
  const { port } = placeholder.address();
  placeholder.close();
  await once(placeholder, 'close');
  const url = `http://127.0.0.1:${port}`;
  const issuer = await startProvider(url);
  rollbook = await Rollbook.start({
    ROLLBOOK_PUBLIC_URL: url,
    ROLLBOOK_OIDC_ISSUER: issuer,
    ROLLBOOK_OIDC_CLIENT_ID: 'rollbook',
    ROLLBOOK_OIDC_CLIENT_SECRET: 'a secret / with + signs',
    ROLLBOOK_OIDC_NAME: 'Hotel login',
    ROLLBOOK_ALLOW_PRIVATE_CALLS: 'true',
  }, `127.0.0.1:${port}`);
  await rollbook.cli('user', 'add', 'anna@hotel.example', '--role', 'importer');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
  server?.closeAllConnections();
  server?.close();
});

/** What the provider's own pages lack is no problem of ours. */
const ours = (page) => {
  page.problems = page.problems.filter((problem) => !problem.includes('(http') || problem.includes(rollbook.url));
};

/** At the provider: who one is, and yes. */
async function answerAs(page, name) {
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('anything');
  await page.locator('button[type=submit]').click();
  await page.locator('button[type=submit]', { hasText: 'Continue' }).click();
}

test('somebody whose address the provider has verified comes in without a password', async () => {
  const page = await open(browser, rollbook.url);
  await journey(page, 'oidc', async () => {
    await page.goto('/imports');
    await assertAccessible(page, 'the sign-in page');
    await page.getByRole('link', { name: 'Sign in with Hotel login' }).click();
    await answerAs(page, 'anna');
    await page.waitForURL(`${rollbook.url}/imports`);
    await page.goto('/account');
    await page.getByText('anna@hotel.example', { exact: true }).first().waitFor();
    await assertAccessible(page, 'the account with a linked sign-in');
    // Later the provider's own id is enough.
    people.anna.email_verified = false;
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.getByRole('link', { name: 'Sign in with Hotel login' }).click();
    await page.waitForURL((url) => url.href.startsWith(rollbook.url) && !url.pathname.startsWith('/sign-in'));
    ours(page);
  });
  await page.context().close();
});

test('an address that is not verified, or has no account, opens nothing', async () => {
  for (const [name, told] of [['mallory', 'has verified no email address'], ['zoe', 'zoe@hotel.example']]) {
    const page = await open(browser, rollbook.url);
    await page.goto('/sign-in');
    await page.getByRole('link', { name: 'Sign in with Hotel login' }).click();
    await answerAs(page, name);
    await page.getByRole('alert').filter({ hasText: told }).waitFor();
    await page.goto('/contacts');
    assert.equal(new URL(page.url()).pathname, '/sign-in');
    await page.context().close();
  }
});

test('an account is linked and unlinked by whoever is signed in', async () => {
  const page = await open(browser, rollbook.url);
  await journey(page, 'oidc-link', async () => {
    await signIn(page);
    await page.goto('/account');
    await page.getByRole('link', { name: 'Link it' }).click();
    await answerAs(page, 'mallory');
    await page.waitForURL(`${rollbook.url}/account`);
    await page.getByText(/^Linked/).waitFor();
    const other = await open(browser, rollbook.url);
    await other.goto('/sign-in');
    await other.getByRole('link', { name: 'Sign in with Hotel login' }).click();
    await answerAs(other, 'mallory');
    await other.waitForURL((url) => url.href.startsWith(rollbook.url) && !url.pathname.startsWith('/sign-in'));
    await other.context().close();
    await page.getByRole('button', { name: 'Unlink' }).click();
    await page.getByRole('link', { name: 'Link it' }).waitFor();
    await page.goto('/settings/audit');
    await page.getByRole('cell', { name: 'Linked a sign-in' }).first().waitFor();
    await page.getByRole('cell', { name: 'Took back a sign-in' }).first().waitFor();
    ours(page);
  });
  await page.context().close();
});

test('an answer that belongs to no sign-in of this browser is refused', async () => {
  const page = await open(browser, rollbook.url);
  const answer = await page.goto('/sign-in/oidc/callback?code=x&state=y');
  assert.equal(answer.status(), 422);
  await page.getByText('was not begun here').waitFor();
  await page.context().close();
});
