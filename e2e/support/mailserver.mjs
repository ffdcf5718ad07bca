// A real mail server on loopback that takes, refuses, hangs or dies as a test wants, and keeps what it took.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export class MailServer {
  /** `behave`: `{ recipient(address), data(session) }`, each may return an error text or `'hang'` or `'die'`. */
  static async start(options = {}) {
    const server = new MailServer();
    server.mails = [];
    server.tries = 0;
    server.behave = options.behave ?? {};
    server.port = options.port ?? 0;
    server.options = options;
    await server.listen();
    return server;
  }

  async listen() {
    const { login, tls } = this.options;
    this.smtp = new SMTPServer({
      secure: tls === 'from the start',
      hideSTARTTLS: tls !== 'starttls',
      key: this.options.key,
      cert: this.options.cert,
      authOptional: !login,
      allowInsecureAuth: false,
      logger: false,
      disableReverseLookup: true,
      closeTimeout: 100,
      onAuth: (auth, session, callback) => {
        this.secured = session.secure;
        if (auth.username === login?.[0] && auth.password === login?.[1]) callback(null, { user: auth.username });
        else callback(Object.assign(new Error('bad credentials'), { responseCode: 535 }));
      },
      onRcptTo: (address, session, callback) => {
        const refusal = this.behave.recipient?.(address.address);
        if (refusal === 'hang') return;
        callback(refusal && Object.assign(new Error(refusal.text), { responseCode: refusal.code }));
      },
      onData: async (stream, session, callback) => {
        this.tries += 1;
        const chunks = [];
        for await (const chunk of stream) chunks.push(chunk);
        const raw = Buffer.concat(chunks);
        const how = this.behave.data?.(this.tries);
        if (how === 'die') {
          // The connection ends before the mail is acknowledged.
          for (const connection of this.smtp.connections) connection._socket.destroy();
          return;
        }
        if (how?.code) {
          callback(Object.assign(new Error(how.text), { responseCode: how.code }));
          return;
        }
        const to = session.envelope.rcptTo.map(({ address }) => address);
        this.mails.push({ to, raw, parsed: await simpleParser(raw) });
        if (how === 'take and die') {
          for (const connection of this.smtp.connections) connection._socket.destroy();
          return;
        }
        callback();
      },
    });
    this.smtp.on('error', () => {});
    this.smtp.listen(this.port, '127.0.0.1');
    await once(this.smtp.server, 'listening');
    this.port = this.smtp.server.address().port;
  }

  /** Stops listening; `listen` goes on at the same port. */
  async stop() {
    for (const connection of this.smtp.connections) connection._socket.destroy();
    await new Promise((resolve) => this.smtp.close(resolve));
  }

  /** Mails to an address. */
  to(address) {
    return this.mails.filter((mail) => mail.to.includes(address));
  }
}

/** A certificate for `localhost` that is its own authority: `{ key, cert, file, remove }`. */
export function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'rollbook-tls-'));
  const [key, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', key, '-out', file,
  ], { stdio: 'ignore' });
  const read = (path) => readFileSync(path);
  return { key: read(key), cert: read(file), file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
