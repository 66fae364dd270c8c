// The node itself on free ports, with a data folder that goes away: rooms are steered through its API, sound
// is sent by ffmpeg as any Icecast source would. TRIBUNE_BIN names the binary.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BUILT = new URL('../../target/debug/tribune', import.meta.url);
export const BINARY = process.env.TRIBUNE_BIN ?? fileURLToPath(BUILT);
/** The listeners' flags, and what the node's lines say of each, in their order. */
const LISTENERS = { '--listen': 'origin', '--stage': 'stage', '--ops': 'ops', '--media': 'media' };
export const KEY = 'operator-key-of-the-tests-0123456789';
/** Two voices' worth of tone that never falls silent: a second of one pitch, a second of another. */
const TONE = "aevalsrc='0.3*sin(2*PI*t*(330+110*mod(floor(t),2)))*(0.6+0.4*sin(2*PI*3*t))':s=48000";
/** A part of 64 kbit/s has some 2,500 bytes; a part of silence far fewer, and is not what is waited for. */
const PART_BYTES_MIN = 2_000;
const OPUS = ['-c:a', 'libopus', '-b:a', '96k', '-page_duration', '100000', '-f', 'ogg'];

/** Resolves when the process is over. */
const over = (child) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once('exit', done));

class Room {
  constructor(node, made) {
    this.node = node;
    this.name = made.room;
    this.keys = made.keys;
    this.key = made.keys.speaker;
  }

  act(act, body = {}) {
    return this.node.api(`/${this.name}/${act}`, body);
  }

  /** Begins to send sound. */
  speak() {
    const to = `icecast://source:${this.key}@${new URL(this.node.stage).host}/${this.name}/source`;
    const input = ['-v', 'error', '-re', '-f', 'lavfi', '-i', TONE];
    const options = { stdio: ['ignore', 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore'] };
    this.sender = spawn('ffmpeg', [...input, ...OPUS, '-content_type', 'application/ogg', to], options);
  }

  /** Comes back when so many parts of the program have passed. */
  async hear(parts) {
    const answer = await fetch(`${this.node.origin}/${this.name}/live.opus`);
    const reader = answer.body.getReader();
    for (let bytes = 0; bytes < parts * PART_BYTES_MIN;) {
      const { value, done } = await reader.read();
      if (done) throw new Error('the program ended while it was heard');
      bytes += value.length;
    }
    await reader.cancel();
  }

  async hush() {
    const { sender } = this;
    this.sender = undefined;
    if (!sender) return;
    sender.kill('SIGKILL');
    await over(sender);
  }

  async live() {
    if (!this.sender) this.speak();
    await this.act('live');
  }

  /** Ends it; comes back when the replay can be fetched. */
  async end() {
    const { state } = await this.status();
    if (state !== 'ended') await this.act('end');
    await this.hush();
  }

  cap(seats) {
    return this.act('cap', { cap: seats });
  }

  notice(text) {
    return this.act('notice', { text });
  }

  /** Everybody may read the report of its evening. */
  report() {
    return this.act('report', { publish: true });
  }

  async status() {
    return (await fetch(`${this.node.origin}/${this.name}/status`)).json();
  }
}

/** A port nobody has: where what a node is told depends on it, it must be known before the node is. */
const freePort = () =>
  new Promise((found) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });

export class RealNode {
  /**
   * Its stage has the name `localhost` where that is asked for: browsers make passkeys for names only. `secure`: it speaks
   * TLS, with a certificate that nobody trusts.
   */
  async start({ named = false, secure = false } = {}) {
    this.data = await mkdtemp(join(tmpdir(), 'tribune-web-'));
    this.rooms = [];
    this.env = { ...process.env };
    if (secure) this.certify();
    const port = named ? await freePort() : 0;
    if (named) this.env.TRIBUNE_STAGE_URL = `http://localhost:${port}`;
    await this.serve((name) => `127.0.0.1:${name === 'stage' ? port : 0}`);
    if (named) this.stage = this.env.TRIBUNE_STAGE_URL;
    return this;
  }

  certify() {
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(this.data, name));
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    Object.assign(this.env, { TRIBUNE_TLS_CERT: cert, TRIBUNE_TLS_KEY: key });
  }

  /** Kills it without a word, and starts it again where it was; comes back when it listens. */
  async restart() {
    this.child.kill('SIGKILL');
    await over(this.child);
    await this.serve((name) => new URL(this[name]).host);
  }

  async serve(at) {
    const listeners = Object.entries(LISTENERS).flatMap(([flag, name]) => [flag, at(name)]);
    const stdio = ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'];
    this.child = spawn(BINARY, ['serve', ...listeners, '--operator-key', KEY, '--data', this.data], {
      stdio,
      env: this.env,
    });
    const lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    for (const name of Object.values(LISTENERS)) {
      const { value } = await lines.next();
      this[name] = /\w+:\/\/\S+/.exec(value ?? '')?.[0];
      if (!this[name]) throw new Error(`the node says ${JSON.stringify(value)} instead of an address`);
    }
    this.child.stdout.resume();
  }

  async get(path) {
    const answer = await fetch(`${this.stage}/api/v1/rooms${path}`, { headers: { authorization: `Bearer ${KEY}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async api(path, body) {
    const answer = await fetch(`${this.stage}/api/v1/rooms${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json().catch(() => ({}));
  }

  async room(given = {}) {
    const made = await this.api('', { title: 'An evening conversation', ...given });
    const room = new Room(this, made);
    this.rooms.push(room);
    return room;
  }

  async stop() {
    for (const room of this.rooms) await room.hush();
    this.child.kill('SIGKILL');
    await over(this.child);
    await rm(this.data, { recursive: true, force: true });
  }
}
