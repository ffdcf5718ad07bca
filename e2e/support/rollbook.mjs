// Starts the built binary the way an operator does, and speaks to it the way its users do.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The binary under test: `ROLLBOOK_BIN`, else the release build, else the debug build. */
export const binary = [
  process.env.ROLLBOOK_BIN,
  join(root, 'target', 'release', 'rollbook'),
  join(root, 'target', 'debug', 'rollbook'),
].find((path) => path && existsSync(path));

export const admin = { email: 'admin@hotel.example', password: 'correct horse battery staple' };

/** A Rollbook of its own: a database in a folder of its own, a server on a port of its own. */
export class Rollbook {
  /** `settings`: further environment variables; `listen`: where, if others have to know it before. */
  static async start(settings = {}, listen = '127.0.0.1:0') {
    if (!binary) throw new Error('no rollbook binary found; run `cargo build --release` first');
    const folder = mkdtempSync(join(tmpdir(), 'rollbook-e2e-'));
    const rollbook = new Rollbook();
    rollbook.folder = folder;
    rollbook.listen = listen;
    rollbook.env = {
      ...process.env,
      ROLLBOOK_DATABASE: `sqlite:${join(folder, 'rollbook.db')}`,
      ROLLBOOK_ADMIN_EMAIL: admin.email,
      ROLLBOOK_ADMIN_PASSWORD: admin.password,
      ...settings,
    };
    await rollbook.serve();
    return rollbook;
  }

  async serve() {
    this.process = spawn(binary, ['serve', '--listen', this.listen], { env: this.env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.log = [];
    const lines = createInterface({ input: this.process.stderr });
    this.url = await new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        this.log.push(line);
        const listening = line.match(/listening on (http:\/\/\S+)/);
        if (listening) resolve(listening[1]);
      });
      this.process.once('exit', (code) => reject(new Error(`rollbook ended with ${code}:\n${this.log.join('\n')}`)));
    });
  }

  /** Runs a command of the same installation and returns what it wrote to standard output. */
  async cli(...args) {
    const { stdout } = await promisify(execFile)(binary, args, { env: this.env, cwd: this.folder });
    return stdout;
  }

  /** Writes a file for uploading and returns its path. */
  file(name, text) {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Posts one contact as another system would. */
  async post(source, key, contact, headers = {}) {
    const response = await fetch(`${this.url}/api/v1/sources/${source}/contacts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(contact),
    });
    return { status: response.status, body: await response.json() };
  }

  /** Ends the server as a power cut does. */
  async kill() {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
