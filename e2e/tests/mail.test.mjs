// Reports by email, through a real mail server: what arrives, what is told when it does not, and that nothing is lost.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { MailServer, certificate } from '../support/mailserver.mjs';
import { Rollbook, admin } from '../support/rollbook.mjs';

const desk = 'desk@hotel.example';
const boss = 'boss@hotel.example';
const guests = [
  'Name,Phone,Email',
  'Ada,+49 30 1234567,ada@example.com',
  'Bob,555-01,bob@example.com',
  'Cleo,+49 30 1234569,cleo.example.com',
  'Dan,=1+1,dan@example.com',
  '',
].join('\n');

let mail;
let rollbook;
let browser;
let page;
let key;

const behave = {};

before(async () => {
  mail = await MailServer.start({ behave });
  rollbook = await Rollbook.start({
    ROLLBOOK_MAIL: `smtp://127.0.0.1:${mail.port}?tls=none`,
    ROLLBOOK_MAIL_FROM: 'Rollbook <rollbook@hotel.example>',
    ROLLBOOK_PUBLIC_URL: 'http://rollbook.example',
  });
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--time-zone', 'Europe/Berlin', '--region', 'DE');
  await rollbook.cli('source', 'add', 'pms', '--label', 'Booking desk', '--mode', 'automatic');
  key = (await rollbook.cli('key', 'create', '--all', '--name', 'tests')).trim();
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
  await mail?.stop();
});

async function until(what, ask, limit = 30_000) {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function api(method, path, body) {
  const response = await fetch(`${rollbook.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

/** The newest mails to an address, as the outbox knows them. */
const outbox = async (to) => (await api('GET', '/outbox?limit=100')).mails.filter((one) => one.to === to);

async function importFile(name, text) {
  const form = new FormData();
  form.append('file', new Blob([text], { type: 'text/csv' }), name);
  const response = await fetch(`${rollbook.url}/api/v1/imports`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: form,
  });
  assert.equal(response.status, 202);
  const { id } = await response.json();
  await until('the import', async () => (await api('GET', `/imports/${id}`)).state === 'done');
  return id;
}

const settings = (change = {}) => api('PUT', '/notifications', { recipients: [desk, boss], ...change });

/** Shows the HTML part as a phone does, and looks whether it fits and can be read. */
async function look(html, name) {
  const phone = await open(browser, rollbook.url, { viewport: { width: 390, height: 800 }, javaScriptEnabled: true });
  try {
    await phone.setContent(html);
    await assertAccessible(phone, name);
    const width = await phone.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${name} is ${width} px wide`);
    const folder = process.env.SCREENSHOTS;
    if (folder) {
      mkdirSync(folder, { recursive: true });
      for (const colorScheme of ['light', 'dark']) {
        await phone.emulateMedia({ colorScheme });
        await phone.screenshot({ path: join(folder, `${name}-${colorScheme}.png`), fullPage: true });
      }
    }
  } finally {
    await phone.context().close();
  }
}

test('recipients are set on the page and a test mail tells what came of it', () =>
  journey(page, 'notifications', async () => {
    await page.goto('/settings/notifications');
    await page.getByText('Mail is handed in at').waitFor();
    await page.getByText('No mails yet').waitFor();
    await assertAccessible(page, 'notifications');
    await page.getByRole('textbox', { name: 'Recipients' }).fill('desk@hotel.example, nobody');
    page.problems.length = 0;
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('“nobody”').waitFor();
    page.problems.length = 0; // The browser reports the refused form; that is what was asked for.
    assert.match(await page.getByRole('textbox', { name: 'Recipients' }).inputValue(), /nobody/);
    await page.getByRole('textbox', { name: 'Recipients' }).fill(`${desk}\n${boss}`);
    await page.getByLabel('How often').selectOption('hourly');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').filter({ hasText: 'Saved' }).waitFor();
    assert.deepEqual((await api('GET', '/notifications')).recipients, [desk, boss]);

    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText(`The mail server took the test for ${admin.email}`).waitFor();
    const [arrived] = mail.to(admin.email);
    assert.equal(arrived.parsed.subject, 'Mail from Rollbook arrives: Harbour Hotels');
    behave.recipient = () => ({ code: 550, text: 'no such person here' });
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByRole('alert').filter({ hasText: 'no such person here' }).waitFor();
    delete behave.recipient;
  }));

test('an uploaded file is reported to its uploader and to the recipients, with everything needed to mend it', () =>
  journey(page, 'report', async () => {
    mail.mails.length = 0;
    await page.goto('/imports/new');
    await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('gäste.csv', guests));
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.waitForURL(/\/imports\/[0-9a-f-]{36}/);
    const id = page.url().match(/[0-9a-f-]{36}/)[0];
    await fetch(`${rollbook.url}/api/v1/imports/${id}/start`, { method: 'POST', headers: { authorization: `Bearer ${key}` } });
    await until('the mails', () => mail.mails.length === 3);
    assert.deepEqual(mail.mails.map(({ to }) => to[0]).sort(), [admin.email, boss, desk]);
    for (const { to, parsed } of mail.mails) {
      assert.equal(parsed.subject, '3 of 4 rows failed: gäste.csv');
      assert.equal(parsed.from.text, '"Rollbook" <rollbook@hotel.example>');
      assert.equal(parsed.to.text, to[0]);
      const [known] = await outbox(to[0]);
      assert.equal(parsed.messageId, `<${known.id}@hotel.example>`);
      assert.equal(known.state, 'sent');
    }
    const { parsed } = mail.to(desk)[0];
    for (const part of [parsed.text, parsed.html]) {
      for (const said of ['Harbour Hotels', 'gäste.csv', '“555-01” is not a valid phone number', 'cleo.example.com', admin.email]) {
        assert.ok(part.includes(said), `${said}\n${part}`);
      }
    }
    assert.match(parsed.text, /\* 2 x Phone/);
    assert.match(parsed.text, /Rows 2, 4/);
    const url = `http://rollbook.example/settings/logs?from=`;
    assert.ok(parsed.text.includes(url) && parsed.text.includes(`&import=${id}&result=failure`), parsed.text);
    const link = parsed.text.match(/http:\/\/rollbook\.example(\/settings\/logs\S+result=failure)/)[1];
    await page.goto(link);
    await page.getByRole('row').filter({ hasText: 'Bob' }).waitFor();

    // What is attached goes in again, corrected.
    const [attached] = parsed.attachments;
    assert.equal(attached.contentType, 'text/csv');
    assert.equal(attached.filename, 'gäste-failed-rows.csv');
    const csv = attached.content.toString();
    assert.equal(csv.split('\r\n').length, 1 + 3 + 1);
    assert.ok(csv.includes("'=1+1"), 'a formula is text');
    const mended = csv.replace('555-01', '+49 30 1234568').replace('cleo.example.com', 'cleo@example.com').replace("'=1+1", '');
    mail.mails.length = 0;
    await importFile('mended.csv', mended);
    await until('the report of the mended file', () => mail.mails.length === 2);
    assert.equal(mail.mails[0].parsed.subject, 'mended.csv: 3 rows imported');
    assert.equal(mail.mails[0].parsed.attachments.length, 0);
    await look(parsed.html, 'import-report');
    await look(mail.mails[0].parsed.html, 'import-report-well');
  }));

test('hostile values and names do no harm in a mail', async () => {
  mail.mails.length = 0;
  const bad = '<script>alert(1)</script>';
  await importFile('a"\r\nBcc: evil@example.com.csv', `Name,Email\n${bad},"${bad}\r\nBcc: x@example.com"\n`);
  await until('the mails', () => mail.mails.length === 2);
  const { parsed, to } = mail.to(desk)[0];
  assert.equal(parsed.bcc, undefined);
  assert.deepEqual(to, [desk]);
  assert.ok(!parsed.html.includes('<script'), parsed.html);
  await look(parsed.html, 'hostile');
});

test('one recipient that is refused holds up no other, is shown, and gets it when somebody says so', () =>
  journey(page, 'refused', async () => {
    mail.mails.length = 0;
    behave.recipient = (address) => address === boss && { code: 550, text: 'mailbox is gone' };
    await importFile('refused.csv', guests);
    await until('the refusal', async () => (await outbox(boss))[0].state === 'failed');
    await until('the other', () => mail.to(desk).length === 1);
    const [refused] = await outbox(boss);
    assert.match(refused.last_error, /mailbox is gone/);
    assert.equal(refused.attempts, 1);
    delete behave.recipient;

    await page.goto('/settings/notifications');
    const row = page.getByRole('row').filter({ hasText: 'refused.csv' }).filter({ hasText: boss });
    await row.getByText('Given up').waitFor();
    await row.getByText('mailbox is gone').waitFor();
    await assertAccessible(page, 'outbox');
    await row.getByRole('button', { name: /Send again/ }).click();
    await until('the mail', () => mail.to(boss).length === 1);
    await until('its state', async () => (await outbox(boss))[0].state === 'sent');
    await page.reload();
    await row.getByText('Sent').waitFor();
    assert.equal(mail.to(desk).length, 1, 'nobody gets it twice');
  }));

test('a server that dies in the middle of a mail gets it again under the same name', async () => {
  mail.mails.length = 0;
  await settings({ recipients: [desk] });
  let first = true;
  behave.data = () => {
    if (!first) return undefined;
    first = false;
    return 'die';
  };
  await importFile('dies.csv', guests);
  await until('the try', async () => (await outbox(desk))[0].attempts === 1);
  let [waiting] = await outbox(desk);
  assert.equal(waiting.state, 'queued');
  assert.ok(waiting.last_error && waiting.next_at, JSON.stringify(waiting));
  assert.equal(mail.mails.length, 0);
  await api('POST', `/outbox/${waiting.id}/retry`);
  await until('the mail', () => mail.mails.length === 1);
  assert.equal(mail.mails[0].parsed.messageId, `<${waiting.id}@hotel.example>`);

  // It took the mail, but nobody heard it say so: the second has the same name.
  mail.mails.length = 0;
  first = true;
  behave.data = () => {
    if (!first) return undefined;
    first = false;
    return 'take and die';
  };
  await importFile('takes.csv', guests);
  await until('the try', async () => (await outbox(desk))[0].attempts === 1);
  [waiting] = await outbox(desk);
  await api('POST', `/outbox/${waiting.id}/retry`);
  await until('the second', () => mail.mails.length === 2);
  assert.equal(mail.mails[0].parsed.messageId, mail.mails[1].parsed.messageId);
  delete behave.data;
});

test('a server that refuses for now is tried again, and a slow one holds up no other mail', async () => {
  mail.mails.length = 0;
  await settings({ recipients: [desk] });
  behave.data = () => ({ code: 451, text: 'try later' });
  await importFile('later.csv', guests);
  await until('the try', async () => (await outbox(desk))[0].attempts === 1);
  const [later] = await outbox(desk);
  assert.equal(later.state, 'queued');
  assert.match(later.last_error, /try later/);
  const pause = Date.parse(later.next_at) - Date.now();
  assert.ok(pause > 20_000 && pause < 80_000, `${pause} ms`);
  delete behave.data;

  await settings({ recipients: ['slow@hotel.example', desk] });
  behave.recipient = (address) => address.startsWith('slow') && 'hang';
  await importFile('slow.csv', guests);
  await until('the other', () => mail.to(desk).length === 1);
  assert.equal((await outbox('slow@hotel.example'))[0].state, 'sending');
  delete behave.recipient;
  await mail.stop();
  await until('the try', async () => (await outbox('slow@hotel.example'))[0].attempts === 1);
  await mail.listen();
});

test('a server that is down delays mails and loses none, and a kill neither', async () => {
  mail.mails.length = 0;
  await settings();
  await mail.stop();
  await importFile('down.csv', guests);
  await until('the tries', async () => (await api('GET', '/outbox?limit=2')).mails.every(({ attempts }) => attempts === 1));
  const { mails } = await api('GET', '/outbox?limit=2');
  for (const one of mails) assert.match(one.last_error, /cannot be reached/);
  await rollbook.kill();
  // Not before: it could try again while the server is still down, and then waits longer than this test.
  for (const one of mails) await rollbook.cli('mail', 'retry', one.id);
  // Nobody sends now: the report is written with the end of the import, by another process.
  await rollbook.cli('import', rollbook.file('killed.csv', guests)).catch((error) => assert.equal(error.code, 3));
  assert.equal(mail.mails.length, 0);
  await mail.listen();
  await rollbook.serve();
  await until('the mails', () => mail.mails.length >= 4);
  await until('their states', async () => (await api('GET', '/outbox?limit=4')).mails.every(({ state }) => state === 'sent'));
  const names = mail.mails.map(({ to, parsed }) => `${to[0]} ${parsed.subject}`);
  assert.deepEqual(names.sort(), [
    `${boss} 3 of 4 rows failed: down.csv`,
    `${boss} 3 of 4 rows failed: killed.csv`,
    `${desk} 3 of 4 rows failed: down.csv`,
    `${desk} 3 of 4 rows failed: killed.csv`,
  ]);
});

test('what another system sends badly is told as a digest', async () => {
  mail.mails.length = 0;
  await settings({ recipients: [], sources: { pms: { recipients: [desk], digest: { every: 'immediately' } } } });
  const own = (await rollbook.cli('key', 'create', '--source', 'pms')).trim();
  const bad = [{ name: 'Ann', phone: '555-01', email: 'ann@example.com' }, { name: 'Ben', phone: '12' }];
  const response = await fetch(`${rollbook.url}/api/v1/sources/pms/contacts/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json' },
    body: JSON.stringify(bad),
  });
  assert.equal(response.status, 200);
  await response.text();
  await until('the digest', () => mail.mails.length === 1);
  const [{ to, parsed }] = mail.mails;
  assert.deepEqual(to, [desk]);
  assert.equal(parsed.subject, 'Booking desk: 1 failure and 1 warning');
  for (const said of ['555-01', 'These records were not written', 'pms-problems.csv']) {
    assert.ok(parsed.text.includes(said) && parsed.html.includes(said), said);
  }
  assert.match(parsed.attachments[0].content.toString(), /Payload\r\n/);
  await look(parsed.html, 'source-digest');
});

test('a source has its own recipients, rhythm and alerts', () =>
  journey(page, 'source notifications', async () => {
    page.problems.length = 0;
    await page.goto(`${rollbook.url}/settings/notifications/sources/pms`);
    if (page.url().includes('sign-in')) throw new Error('signed out');
    await assertAccessible(page, 'notifications of a source');
    await page.getByRole('radio', { name: /After a number of hours/ }).check();
    await page.getByLabel('Hours of silence').fill('12');
    await page.getByLabel('How often').selectOption('weekly');
    await page.getByLabel('Day of the week').selectOption('friday');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').filter({ hasText: 'Saved' }).waitFor();
    const row = page.getByRole('row').filter({ hasText: 'Booking desk' }).first();
    await row.getByText('every Friday at 08:00').waitFor();
    await row.getByText('after 12 hours of silence').waitFor();
    const { sources } = await api('GET', '/notifications');
    assert.equal(sources.pms.silence_hours, 12);
    if (process.env.SCREENSHOTS) {
      for (const [width, colorScheme] of [[1440, 'light'], [1440, 'dark'], [390, 'light'], [390, 'dark']]) {
        await page.setViewportSize({ width, height: 1000 });
        await page.emulateMedia({ colorScheme });
        for (const [path, name] of [['', 'page'], ['/sources/pms', 'source']]) {
          await page.goto(`${rollbook.url}/settings/notifications${path}`);
          const file = join(process.env.SCREENSHOTS, `notifications-${name}-${width}-${colorScheme}.png`);
          await page.screenshot({ path: file, fullPage: true });
        }
      }
    }
  }));

test('mail is handed in over TLS and STARTTLS with a sign-in, and a password is never shown', async () => {
  const { key: tlsKey, cert, file, remove } = certificate();
  const secret = 'hunter%32%40home';
  const login = ['robot', 'hunter2@home'];
  const send = async (port, scheme, password) => {
    const env = { ...rollbook.env, SSL_CERT_FILE: file, ROLLBOOK_MAIL: `${scheme}://robot:${password}@localhost:${port}` };
    const { env: before } = rollbook;
    rollbook.env = env;
    try {
      await rollbook.cli('mail', 'test', desk);
      return 'sent';
    } catch (error) {
      return error.stderr;
    } finally {
      rollbook.env = before;
    }
  };
  try {
    for (const [tls, scheme] of [['starttls', 'smtp'], ['from the start', 'smtps']]) {
      const server = await MailServer.start({ tls, login, key: tlsKey, cert });
      try {
        assert.equal(await send(server.port, scheme, secret), 'sent', tls);
        assert.equal(server.mails.length, 1);
        assert.equal(server.secured, true);
        const refused = await send(server.port, scheme, 'wrong');
        assert.match(refused, /refused the sign-in/);
        assert.ok(!refused.includes('wrong'), refused);
      } finally {
        await server.stop();
      }
    }
    const plain = await MailServer.start({ login });
    const refused = await send(plain.port, 'smtp', secret);
    assert.match(refused, /cannot be secured/);
    assert.equal(plain.mails.length, 0);
    await plain.stop();
    // A certificate that nobody vouches for.
    const foreign = await MailServer.start({ tls: 'starttls', login, key: tlsKey, cert });
    const known = rollbook.env;
    try {
      rollbook.env = { ...known, ROLLBOOK_MAIL: `smtp://robot:${secret}@localhost:${foreign.port}` };
      await assert.rejects(rollbook.cli('mail', 'test', desk), /cannot be secured/);
    } finally {
      rollbook.env = known;
      await foreign.stop();
    }
  } finally {
    remove();
  }
});
