// A real S3-compatible server on this machine: moto, from PyPI, in an environment of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Where `make e2e` puts it; `MOTO_SERVER` names another place. */
const program = process.env.MOTO_SERVER ?? join(dirname(fileURLToPath(import.meta.url)), '..', '.python', 'bin', 'moto_server');

export const keys = { access: 'AKIAROLLBOOKTESTS', secret: 'a secret that no log may show' };

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** An S3 server with an empty bucket. */
export class S3 {
  static async start(bucket) {
    if (!existsSync(program)) throw new Error(`no S3 server at ${program}; run \`make e2e\`, or set MOTO_SERVER`);
    const s3 = new S3();
    s3.port = await freePort();
    s3.bucket = bucket;
    await s3.serve();
    await s3.open();
    await s3.request('PUT', `/${bucket}`);
    return s3;
  }

  async serve() {
    this.process = spawn(program, ['-H', '127.0.0.1', '-p', String(this.port)], { stdio: 'ignore' });
    const limit = Date.now() + 60_000;
    while (!(await fetch(`http://127.0.0.1:${this.port}`).then((answer) => answer.ok, () => false))) {
      if (this.process.exitCode !== null || Date.now() > limit) throw new Error('the S3 server does not start');
      await setTimeout(50);
    }
  }

  /** The way to it that Rollbook takes: while `away` is true, nobody answers there, and nothing is lost. */
  async open() {
    this.away = false;
    this.door = createServer((client) => {
      if (this.away) {
        client.destroy();
        return;
      }
      const server = connect(this.port, '127.0.0.1');
      for (const [from, to] of [[client, server], [server, client]]) {
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
      this.ways.add(client);
      client.once('close', () => this.ways.delete(client));
    });
    this.ways = new Set();
    this.door.listen(0, '127.0.0.1');
    await once(this.door, 'listening');
    this.url = `http://127.0.0.1:${this.door.address().port}`;
  }

  leave() {
    this.away = true;
    for (const way of this.ways) way.destroy();
  }

  /** Forgets everything, as a server does that lost its disk. */
  async forget() {
    await this.end();
    await this.serve();
    await this.request('PUT', `/${this.bucket}`);
  }

  /** Speaks to it without Rollbook. It asks for no signature of ours. */
  async request(method, path) {
    const authorization = 'AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { method, headers: { authorization } });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  /** The names of all objects. */
  async objects() {
    const listed = await (await this.request('GET', `/${this.bucket}?list-type=2`)).text();
    return [...listed.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
  }

  async stop() {
    this.leave();
    this.door.close();
    await this.end();
  }

  async end() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
  }
}
