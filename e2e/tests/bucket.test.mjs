// Uploaded files in an S3-compatible bucket: taken in, read, downloaded again, also when the bucket is away for a while.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';
import { S3, keys } from '../support/s3.mjs';

const bucket = 'uploads';
const content = 'Name;E-Mail\r\nLiesl Weber;liesl@weber.example\r\nJonas Berg;nobody\r\n';
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

let s3;
let rollbook;
let browser;
let page;
let key;

before(async () => {
  s3 = await S3.start(bucket);
  rollbook = await Rollbook.start({
    ROLLBOOK_FILES: `s3://${bucket}/hotel`,
    ROLLBOOK_S3_ENDPOINT: s3.url,
    ROLLBOOK_S3_ACCESS_KEY: keys.access,
    ROLLBOOK_S3_SECRET_KEY: keys.secret,
    ROLLBOOK_S3_CACHE_BYTES: '1MiB',
    ROLLBOOK_LOG: 'debug',
  });
  key = (await rollbook.cli('key', 'create', '--all')).trim();
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
  await s3?.stop();
});

const cache = () => join(rollbook.folder, 'rollbook.db-files', 'cache');
const api = (path, options = {}) => fetch(`${rollbook.url}/api/v1${path}`, { ...options, headers: { authorization: `Bearer ${key}` } });
const upload = async (name, bytes) => {
  const body = new FormData();
  body.set('file', new Blob([bytes]), name);
  return api('/imports', { method: 'POST', body });
};
/** Asks until the answer is there, but not for ever. */
const until = async (what, ask) => {
  for (const limit = Date.now() + 60_000; Date.now() < limit; await setTimeout(20)) {
    const found = await ask();
    if (found) return found;
  }
  throw new Error(`waited in vain for ${what}`);
};
const over = (id) =>
  until('the end of the import', async () => {
    const found = await (await api(`/imports/${id}`)).json();
    return ['done', 'failed', 'cancelled'].includes(found.state) && found;
  });

test('a file goes into the bucket and is imported from there', () =>
  journey(page, 'bucket', async () => {
    await page.goto('/imports/new');
    await page.getByLabel('File', { exact: true }).setInputFiles(rollbook.file('gäste.csv', content));
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    assert.deepEqual(await s3.objects(), [`hotel/${hash(content)}`]);
    // Neither the mapping page nor the worker needs what this machine has by chance.
    rmSync(join(cache(), hash(content)));
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('button', { name: /^Import \d/ }).click();
    await page.getByRole('link', { name: 'See every row in the log' }).waitFor();
    assert.equal(await page.locator('#count-created').innerText(), '1');

    rmSync(join(cache(), hash(content)), { force: true });
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download the file' }).click();
    assert.equal(readFileSync(await (await download).path(), 'utf8'), content);
  }));

test('a large file comes in parts, and one that is larger than the cache does not stay', async () => {
  const rows = Array.from({ length: 30_000 }, (_, row) => `G-${row},Guest ${row},${'x'.repeat(400)}`);
  const large = `external_id,name,notes\n${rows.join('\n')}\n`;
  assert.ok(large.length > 9 << 20);
  // Only the size matters here; running it would take a debug build long.
  const body = new FormData();
  body.set('run', 'false');
  body.set('file', new Blob([large]), 'large.csv');
  const uploaded = await api('/imports', { method: 'POST', body });
  assert.equal(uploaded.status, 202);
  const { id } = await uploaded.json();
  assert.ok((await s3.objects()).includes(`hotel/${hash(large)}`));
  const back = Buffer.from(await (await api(`/imports/${id}/file`)).arrayBuffer());
  assert.equal(hash(back), hash(large));
  assert.deepEqual(readdirSync(cache()).filter((name) => name !== hash(content)), []);
  await api(`/imports/${id}/cancel`, { method: 'POST' });
});

test('the command line reads and writes the same bucket', async () => {
  const other = 'Name,Email\nAda,ada@hotel.example\n';
  rollbook.file('other.csv', other);
  const { import_id: id } = JSON.parse(await rollbook.cli('import', 'other.csv', '--json'));
  assert.ok((await s3.objects()).includes(`hotel/${hash(other)}`));
  assert.equal(await rollbook.cli('imports', 'download', id, '--out', '-'), other);
});

test('while the bucket is away uploads are refused, and it is said what is missing when it lost a file', async () => {
  const third = 'Name,Email\nEve,eve@hotel.example\n';
  const { id } = await (await upload('third.csv', third)).json();
  await over(id);
  s3.leave();
  rmSync(join(cache(), hash(third)));
  const refused = await upload('fourth.csv', `${third}Fay,fay@hotel.example\n`);
  assert.equal(refused.status, 503);
  const told = await refused.text();
  assert.match(told, /try again in a while/);
  assert.doesNotMatch(told, new RegExp(bucket));
  assert.equal((await api(`/imports/${id}/file`)).status, 503);

  s3.away = false;
  assert.equal(await (await api(`/imports/${id}/file`)).text(), third);
  rmSync(join(cache(), hash(third)));
  await s3.forget();
  assert.equal((await api(`/imports/${id}/file`)).status, 404);
  assert.equal((await (await api(`/imports/${id}`)).json()).file_kept, false);
  assert.equal((await upload('fifth.csv', third)).status, 202);
  assert.deepEqual(await s3.objects(), [`hotel/${hash(third)}`]);
});

test('an import that was killed waits for a bucket that is away, and goes on by itself', async () => {
  const guests = Array.from({ length: 20_000 }, (_, row) => `G-${row},Guest ${row},${'x'.repeat(40)}`);
  const large = `external_id,name,notes\n${guests.join('\n')}\n`;
  assert.ok(large.length > 1 << 20, 'it is larger than the cache');
  const { id } = await (await upload('guests.csv', large)).json();
  const now = async () => (await api(`/imports/${id}`)).json();
  await until('the first batch', async () => (await now()).totals.records > 0);
  rollbook.process.kill('SIGKILL');
  await once(rollbook.process, 'exit');
  s3.leave();
  await rollbook.serve();
  await until('a worker that gives up', () => rollbook.log.some((line) => line.includes('will be resumed')));
  const waiting = await (await api('/imports?limit=1')).json();
  assert.equal(waiting.imports[0].state, 'running');
  assert.ok(waiting.imports[0].totals.records < 20_000);
  s3.away = false;
  const done = await over(id);
  assert.equal(done.state, 'done');
  assert.deepEqual([done.totals.records, done.totals.created], [20_000, 20_000]);
});

test('the secret is nowhere', async () => {
  assert.ok(rollbook.log.length > 10);
  assert.ok(!rollbook.log.join('\n').includes(keys.secret));
  assert.ok(existsSync(cache()));
});
