// The running server against its own OpenAPI document: schemathesis makes up requests, good and bad ones, and no answer
// may be a 5xx, of a status that is not documented, or of another shape than the document says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Rollbook } from '../support/rollbook.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const schemathesis = process.env.SCHEMATHESIS ?? join(here, '..', '.python', 'bin', 'schemathesis');
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];
/** Long enough for a few thousand requests. */
const seconds = 60;

let rollbook, key, config;

before(async () => {
  rollbook = await Rollbook.start({ ROLLBOOK_API_RATE: 'unlimited', ROLLBOOK_API_ADDRESS_RATE: 'unlimited' });
  await rollbook.cli('workspace', 'set', '--name', 'Harbour Hotels', '--region', 'DE');
  await rollbook.cli('source', 'add', 'desk', '--label', 'Booking desk');
  key = (await rollbook.cli('key', 'create', '--all', '--name', 'scan')).trim();
  await rollbook.cli('key', 'create', '--all', '--name', 'to be revoked');
  const { body } = await rollbook.post('desk', key, { id: 'G-1', name: 'Zita Weber', email: 'zita@weber.example' });
  const file = rollbook.file('guests.csv', 'Name,Email\nAda,ada@example.com\nBob,bob.example.com\n');
  // One of its rows fails, which the exit status says.
  const said = await rollbook.cli('import', file, '--json').catch(({ stdout }) => stdout);
  const { import_id: imported } = JSON.parse(said);

  // What is there is asked for, so that a request gets further than to "there is none".
  const known = [
    ['^/imports/\\{id\\}', { id: imported }],
    ['^/logs/\\{id\\}', { id: body.id }],
    ['^/contacts/\\{id\\}', { id: body.contact_id }],
    ['^/sources/\\{source\\}', { source: 'desk' }],
    ['^/keys/\\{id\\}', { id: '2' }],
  ];
  const operations = known.map(([path, values]) => {
    const parameters = Object.entries(values).map(([name, value]) => `"path.${name}" = ${JSON.stringify(String(value))}`);
    return `[[operations]]\ninclude-path-regex = '${path}'\nparameters = { ${parameters.join(', ')} }\n`;
  });
  config = join(rollbook.folder, 'schemathesis.toml');
  writeFileSync(config, operations.join('\n'));
});

after(() => rollbook?.stop());

test('no request that one can think of is answered otherwise than documented', async () => {
  const scan = spawn(
    schemathesis,
    [
      ...['--config-file', config, 'run', `${rollbook.url}/api/v1/openapi.json`],
      ...['--header', `Authorization: Bearer ${key}`, '--checks', checks.join(',')],
      ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '30', '--max-time', String(seconds)],
      ...['--seed', '1', '--continue-on-failure', '--no-color'],
    ],
    { cwd: rollbook.folder, env: { ...process.env, SCHEMATHESIS_HOOKS: join(here, '..', 'support', 'scan.py') }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let told = '';
  scan.stdout.on('data', (text) => (told += text));
  scan.stderr.on('data', (text) => (told += text));
  const [code] = await once(scan, 'exit');
  assert.equal(code, 0, told);
  const generated = Number(told.match(/(\d+) generated/)?.[1] ?? 0);
  assert.ok(generated > 500, told);
  console.log(`schemathesis: ${generated} requests to ${told.match(/Tested: (\d+)/)?.[1]} operations`);
  const still = await fetch(`${rollbook.url}/api/v1/keys`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(still.status, 200, 'the server is still there, and so is the key that the requests were made with');
});
