// A large file: dropped onto the page, followed while it runs with its rate and the time left, and stopped at the edge of
// a batch, which says what was written.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertAccessible, journey, launch, open, signIn } from '../support/browser.mjs';
import { Rollbook } from '../support/rollbook.mjs';

const rows = 400_000;

let rollbook;
let browser;
let page;

before(async () => {
  rollbook = await Rollbook.start();
  browser = await launch();
  page = await open(browser, rollbook.url);
  await signIn(page);
});

after(async () => {
  await browser?.close();
  await rollbook?.stop();
});

test('a file is dropped onto the page, and one that misses the box does no harm', () =>
  journey(page, 'drop a file', async () => {
    await page.goto('/imports/new');
    const drop = async (selector) => {
      const files = await page.evaluateHandle(() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(['Name;E-Mail\nAnna;anna@example.com\n'], 'dropped.csv', { type: 'text/csv' }));
        return transfer;
      });
      await page.dispatchEvent(selector, 'dragover', { dataTransfer: files });
      await page.dispatchEvent(selector, 'drop', { dataTransfer: files });
    };
    await drop('h1');
    await page.getByRole('heading', { name: 'Upload a file' }).waitFor();
    await drop('#drop');
    await page.getByRole('heading', { name: 'Which column is what?' }).waitFor();
    await page.getByText('dropped.csv').first().waitFor();
  }));

test('a running import shows its rate and the time left, and is stopped at the edge of a batch', () =>
  journey(page, 'stop an import', async () => {
    const lines = Array.from({ length: rows }, (_, row) => `G-${row},Guest ${row},guest${row}@example.com`);
    const key = (await rollbook.cli('key', 'create', '--all', '--name', 'journey')).trim();
    const headers = { authorization: `Bearer ${key}` };
    const form = new FormData();
    form.append('file', new Blob([`Guest ID,Name,Email\n${lines.join('\n')}\n`]), 'large.csv');
    const uploaded = await fetch(`${rollbook.url}/api/v1/imports`, { method: 'POST', headers, body: form });
    assert.equal(uploaded.status, 202);
    const { id } = await uploaded.json();

    await page.goto(`/imports/${id}`);
    await page.getByText(/ of 400,000 records/).waitFor({ timeout: 60_000 });
    await page.getByText(/[\d,]+ records a second · about [\d a-z]+ left/).waitFor();
    await assertAccessible(page, 'a running import');
    await page.getByRole('button', { name: 'Cancel import' }).click();
    await page.getByText('What was imported so far stays; the rest is not imported.').waitFor();
    await page.getByRole('button', { name: 'Stop it' }).click();
    await page.getByText(/^Stopped after [\d,]+ of 400,000 records: /).waitFor();
    await page.getByText('What was written stays.').waitFor();
    await assertAccessible(page, 'a stopped import');

    const told = Number((await page.locator('#count-created').innerText()).replaceAll(',', ''));
    assert.ok(told > 0 && told < rows, `${told} of ${rows}`);
    const attempts = await fetch(`${rollbook.url}/api/v1/logs/export?import=${id}&format=ndjson`, { headers });
    const batches = sizesOfBatches(await attempts.text());
    assert.ok(batches.every((size) => size === batches[0]), `batches of ${batches}: not stopped at an edge`);
    const log = await fetch(`${rollbook.url}/api/v1/logs/summary?import=${id}&buckets=0`, { headers });
    assert.equal((await log.json()).counts.all, told);
    // What was written can be taken back like any import.
    await page.getByRole('link', { name: 'Undo this import' }).waitFor();
  }));

// All records of a batch have the same time, and no two batches have.
function sizesOfBatches(lines) {
  const sizes = new Map();
  for (const line of lines.trimEnd().split('\n')) {
    const time = JSON.parse(line).received_at;
    sizes.set(time, (sizes.get(time) ?? 0) + 1);
  }
  return [...sizes.values()];
}
