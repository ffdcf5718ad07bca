// Signed webhooks: an administrator sets them up on the source's page, and a system that signs with the library of
// Standard Webhooks delivers; what it sends stands in the log, what others send does not.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Webhook } from 'standardwebhooks';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const event = (name) =>
  JSON.stringify({
    type: 'contact.updated',
    timestamp: new Date().toISOString(),
    data: { external_id: 'CRM-1', name, phones: ['+447400123456'], emails: ['amara@okafor.example'] },
  });

let rollbook;
let browser;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  await rollbook.cli('source', 'add', 'crm', '--label', 'The CRM');
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

/** Sends a delivery as a sender with this secret does. */
async function deliver(address, secret, id, body, at = new Date()) {
  const signature = new Webhook(secret).sign(id, at, body);
  return fetch(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': signature,
    },
    body,
  });
}

test('signed webhooks are set up on the page, and what is signed lands in the log', async () => {
  await journey(page, 'webhooks', async () => {
    await page.goto('/settings/sources/crm');
    await page.getByText('Set up signed webhooks').click();
    await page.getByRole('radio', { name: 'HMAC-SHA256 of the body' }).check();
    await page.getByLabel('Header of the signature').waitFor();
    await assertAccessible(page, 'the form for signed webhooks');
    await page.getByRole('radio', { name: 'Standard Webhooks' }).check();
    await page.getByLabel('Header of the signature').waitFor({ state: 'hidden' });
    await page.getByLabel('The system’s own secret').fill('not a secret');
    await page.getByRole('button', { name: 'Set up', exact: true }).click();
    await page.getByText('A secret of Standard Webhooks is').waitFor();
    await assertAccessible(page, 'a secret that is none');
    await page.getByRole('button', { name: 'Set up', exact: true }).click();
    await page.getByRole('heading', { name: 'The secret of its webhooks' }).waitFor();
    await assertAccessible(page, 'the secret');
    const secret = await page.locator('#webhook-secret').innerText();
    const address = await page.getByLabel('Address for the sender').innerText();
    assert.match(secret, /^whsec_/);

    const body = event('Amara Okafor');
    const first = await deliver(address, secret, 'msg_1', body);
    assert.equal(first.status, 200);
    assert.equal((await first.json()).created, 1);
    const again = await deliver(address, secret, 'msg_1', body);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    const forged = await deliver(address, `whsec_${Buffer.alloc(32).toString('base64')}`, 'msg_2', event('Eve'));
    assert.equal(forged.status, 401);
    const old = await deliver(address, secret, 'msg_3', event('Eve'), new Date(Date.now() - 400_000));
    assert.equal(old.status, 401);
    const deleted = JSON.stringify({ type: 'contact.deleted', timestamp: new Date().toISOString(), data: { external_id: 'CRM-1' } });
    assert.equal((await deliver(address, secret, 'msg_4', deleted)).status, 200);

    await page.goto('/settings/logs?range=1h&source=crm');
    await page.locator('#rows tr').nth(1).waitFor();
    assert.equal(await page.locator('#rows tr').count(), 2);
    await page.getByRole('cell', { name: 'Amara Okafor' }).first().waitFor();
    await page.goto('/settings/sources/crm');
    for (let tries = 0; !(await page.getByText('it was not signed with a valid secret').isVisible()); tries += 1) {
      assert.ok(tries < 100, 'the last refused delivery is shown');
      await page.reload();
    }
    assert.ok(!(await page.content()).includes(secret), 'the secret is shown once');
    await assertAccessible(page, 'a source with signed webhooks');
  });
});

test('a secret is replaced without a gap, and taken back', async () => {
  await journey(page, 'webhooks-rotate', async () => {
    const old = (await rollbook.cli('webhook', 'set-up', 'crm')).trim();
    await page.goto('/settings/sources/crm');
    const address = await page.getByLabel('Address for the sender').innerText();
    await page.getByRole('button', { name: 'Replace the secret' }).click();
    await assertAccessible(page, 'before a secret is replaced');
    await page.getByRole('button', { name: 'Replace it' }).click();
    const secret = await page.locator('#webhook-secret').innerText();
    assert.equal((await deliver(address, old, 'msg_5', event('Amara'))).status, 200);
    assert.equal((await deliver(address, secret, 'msg_6', event('Amara'))).status, 200);
    await page.getByRole('button', { name: 'Revoke the one before' }).click();
    await page.getByRole('button', { name: 'Revoke the one before' }).waitFor({ state: 'detached' });
    assert.equal((await deliver(address, old, 'msg_7', event('Amara'))).status, 401);
    await page.getByRole('button', { name: 'Stop taking webhooks' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByText('Set up signed webhooks').waitFor();
    assert.equal((await deliver(address, secret, 'msg_8', event('Amara'))).status, 404);
  });
});
