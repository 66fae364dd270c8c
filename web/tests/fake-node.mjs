// A node that can be told what to do: it serves the built page with the same templates as server/src/page.rs,
// and a program of real sound at live pace, so that the page can be developed and tested in a browser without
// a server.
//
// By hand: `node tests/fake-node.mjs [port]`, then open the printed links.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const DIST = new URL('../dist/', import.meta.url);
const PART_MS = 320;
/** Parts a reconnecting listener may ask back for. */
const WINDOW_PARTS = 45;
/** Parts given at once to a newcomer. */
const JOIN_PARTS = 3;
const PROGRAM_S = 240;
/** The program is this old when a room opens, so that no test passes only because time begins at 0. */
const PROGRAM_AGE_PARTS = 40;

const text = (name) => readFileSync(new URL(name, DIST), 'utf8');

/** Two voices' worth of tone that never falls silent: a second of one pitch, a second of another. */
function encode(options) {
  const wave = '0.3*sin(2*PI*t*(330+110*mod(floor(t),2)))*(0.6+0.4*sin(2*PI*3*t))';
  const sound = `aevalsrc='${wave}':s=48000:d=${PROGRAM_S}`;
  return execFileSync(
    'ffmpeg',
    ['-v', 'error', '-f', 'lavfi', '-i', sound, '-ac', '1', ...options, 'pipe:1'],
    { maxBuffer: 64 << 20 },
  );
}

/** [init segment, parts]: `moof` and `mdat` of each fragment together. */
function cutMp4(bytes) {
  const init = [];
  const parts = [];
  for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32BE(at);
    const kind = bytes.toString('latin1', at + 4, at + 8);
    const box = bytes.subarray(at, at + size);
    if (kind === 'moof') parts.push([box]);
    else if (kind === 'mdat') parts.at(-1).push(box);
    else if (kind === 'ftyp' || kind === 'moov') init.push(box);
    at += size;
  }
  return [Buffer.concat(init), parts.map((part) => Buffer.concat(part))];
}

/** Parts of 15 ADTS frames. */
function cutAac(bytes) {
  const frames = [];
  for (let at = 0; at + 7 <= bytes.length;) {
    const size = ((bytes[at + 3] & 3) << 11) | (bytes[at + 4] << 3) | (bytes[at + 5] >> 5);
    frames.push(bytes.subarray(at, at + size));
    at += size;
  }
  const parts = [];
  for (let i = 0; i < frames.length; i += 15) parts.push(Buffer.concat(frames.slice(i, i + 15)));
  return [Buffer.alloc(0), parts];
}

/** [two header pages, one page a part]. */
function cutOgg(bytes) {
  const pages = [];
  for (let at = 0; at < bytes.length;) {
    const segments = bytes[at + 26];
    let size = 27 + segments;
    for (let i = 0; i < segments; i++) size += bytes[at + 27 + i];
    pages.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [Buffer.concat(pages.slice(0, 2)), pages.slice(2)];
}

let made;

/** The program in every form, encoded once a process. */
function program() {
  made ??= {
    'live.mp4': [
      'audio/mp4',
      ...cutMp4(
        encode([
          '-c:a',
          'libopus',
          '-b:a',
          '64k',
          '-f',
          'mp4',
          '-movflags',
          '+empty_moov+default_base_moof',
          '-frag_duration',
          '320000',
        ]),
      ),
    ],
    'live.aac': ['audio/aac', ...cutAac(encode(['-c:a', 'aac', '-b:a', '64k', '-f', 'adts']))],
    'live.opus': [
      'audio/ogg',
      ...cutOgg(encode(['-c:a', 'libopus', '-b:a', '64k', '-f', 'ogg', '-page_duration', '320000'])),
    ],
    'replay.opus': encode(['-t', '20', '-c:a', 'libopus', '-b:a', '64k', '-f', 'ogg']),
    'replay.m4a': m4a(),
  };
  return made;
}

function m4a() {
  const file = `/tmp/tribune-fake-${process.pid}.m4a`;
  execFileSync('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-f',
    'lavfi',
    '-i',
    'sine=440:d=20',
    '-c:a',
    'aac',
    '-movflags',
    '+faststart',
    file,
  ]);
  const bytes = readFileSync(file);
  execFileSync('rm', [file]);
  return bytes;
}

class Room {
  constructor(name, given) {
    this.name = name;
    /** Where the one visitor's ticket stands, as `place` says it; without one a claim is a seat. */
    this.place = undefined;
    this.bornMs = Date.now() - PROGRAM_AGE_PARTS * PART_MS;
    this.streams = new Set();
    /** Who speaks, as `/{room}/speaking` says it. */
    this.speaking = { live_part: 0, people: [], turns: [] };
    /** The floor of the one visitor that a test has. */
    this.floor = { state: 'none', ahead: 0, stage: null };
    this.asked = [];
    /** What the visitor told of their own microphone. */
    this.mutes = [];
    this.told = new Set();
    this.status = {
      room: name,
      title: 'An evening conversation',
      state: 'scheduled',
      starts_at: null,
      started_at: null,
      ended_at: null,
      listening: 0,
      peak: 0,
      replays: 0,
      program: { head: null, parts: 0 },
      notices: [],
      replay: null,
      report: null,
      ...given,
    };
  }

  newest() {
    return Math.floor((Date.now() - this.bornMs) / PART_MS) - 1;
  }

  board() {
    this.status.state = 'boarding';
  }

  live() {
    Object.assign(this.status, { state: 'live', started_at: new Date().toISOString() });
  }

  end() {
    const at = (file) => `/${this.name}/${file}`;
    Object.assign(this.status, {
      state: 'ended',
      ended_at: new Date().toISOString(),
      replay: { opus: at('replay.opus'), m4a: at('replay.m4a'), hls: at('replay.m3u8'), seal: at('seal') },
    });
    for (const end of this.streams) end();
  }

  report() {
    this.status.report = `/${this.name}/report`;
  }

  /** What came of the visitor's request. */
  rule(floor) {
    this.floor = { state: 'none', ahead: 0, stage: null, ...floor };
    for (const tell of this.told) tell();
  }

  /** The visitor's ticket is not called; with nothing, it is. */
  line(place) {
    this.place = place && { drawn: true, called: false, retry_after_s: 5, ...place };
  }
}

export class FakeNode {
  constructor() {
    this.rooms = new Map();
    this.built = JSON.parse(text('door/built.json'));
    this.requests = [];
  }

  async start(port = 0) {
    this.rules = await import(new URL('rules.mjs', DIST));
    program();
    this.server = createServer((request, answer) => this.serve(request, answer));
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** A room; `given` overrides fields of its status. */
  async room(given = {}) {
    const room = new Room(`room-${this.rooms.size + 1}`, given);
    this.rooms.set(room.name, room);
    return room;
  }

  serve(request, answer) {
    const url = new URL(request.url, this.origin);
    const [, name, file] = url.pathname.split('/');
    this.requests.push(url.pathname);
    if (name === 'assets') return this.asset(request, answer, file);
    const room = this.rooms.get(name);
    if (!room) return this.page(request, answer, undefined, url);
    if (!file) return this.page(request, answer, room, url);
    if (file === 'status') return send(answer, 200, 'application/json', JSON.stringify(statusOf(room)));
    if (file === 'speaking') {
      const said = { ...room.speaking, live_part: room.newest() };
      return send(answer, 200, 'application/json', JSON.stringify(said));
    }
    if (file === 'worker.js') {
      answer.setHeader('service-worker-allowed', `/${name}`);
      return send(answer, 200, 'text/javascript', text('door/worker.js'));
    }
    if (['ticket', 'place', 'claim'].includes(file)) return this.door(answer, room, file);
    if (file === 'floor') return this.floor(request, answer, room);
    if (file.startsWith('live.')) return this.stream(request, answer, room, file, url);
    if (file.startsWith('replay.') && room.status.replay && program()[file]) {
      return range(request, answer, file.endsWith('opus') ? 'audio/ogg' : 'audio/mp4', program()[file]);
    }
    return send(answer, 404, 'application/json', '{"code":"no_such_page"}');
  }

  door(answer, room, file) {
    const say = (code, said) => send(answer, code, 'application/json', JSON.stringify(said));
    if (room.status.state === 'ended') return say(410, { code: 'room_ended' });
    if (file === 'ticket') return say(201, { ticket: 'ticket', secret: 'secret' });
    const called = { drawn: true, rank: 0, ahead: 0, eta_s: [0, 0], called: true, retry_after_s: 5 };
    if (file === 'place') return say(200, room.place ?? called);
    if (room.place) return say(202, room.place);
    return say(200, { pass: 'pass' });
  }

  async floor(request, answer, room) {
    const say = (code) => send(answer, code, 'application/json', JSON.stringify(room.floor));
    if (request.url.endsWith('/mute')) {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { muted } = JSON.parse(body);
      room.mutes.push(muted);
      room.rule({ ...room.floor, you: { ...room.floor.you, muted: muted ? 'self' : null } });
      return say(200);
    }
    if (request.method === 'POST' && room.refuses) {
      const refusal = { code: room.refuses, message: 'The node’s own words.' };
      return send(answer, 503, 'application/json', JSON.stringify(refusal));
    }
    if (request.method === 'POST') {
      let text = '';
      for await (const chunk of request) text += chunk;
      room.asked.push(JSON.parse(text).name);
      room.rule({ state: 'requested', ahead: 2 });
      answer.setHeader('set-cookie', `floor=1; HttpOnly; SameSite=Strict; Path=/${room.name}/floor`);
      return say(201);
    }
    if (request.method === 'DELETE') {
      room.rule({});
      return say(200);
    }
    if (!/event-stream/.test(request.headers.accept ?? '')) return say(200);
    if (room.floor.state === 'none') return answer.writeHead(204).end();
    answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const tell = () => answer.write(`event: floor\ndata: ${JSON.stringify(room.floor)}\n\n`);
    room.told.add(tell);
    answer.on('close', () => room.told.delete(tell));
    tell();
  }

  page(request, answer, room, url) {
    const lang =
      url.searchParams.get('lang') ?? (/^fr/.test(request.headers['accept-language'] ?? '') ? 'fr' : 'en');
    const html = this.render(room, lang);
    const { script_sha256, style_sha256 } = this.built;
    const encoding = /\bbr\b/.test(request.headers['accept-encoding'] ?? '') ? 'br' : 'gzip';
    const body =
      encoding === 'br'
        ? brotliCompressSync(html, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
        : gzipSync(html);
    answer.writeHead(room ? 200 : 404, {
      'content-type': 'text/html; charset=utf-8',
      'content-encoding': encoding,
      vary: 'accept-encoding, accept-language, cookie',
      'content-length': body.length,
      'cache-control': 'no-cache',
      'content-security-policy':
        `default-src 'none'; script-src 'self' 'sha256-${script_sha256}'; style-src 'sha256-${style_sha256}'; ` +
        `connect-src 'self' ${this.stage ?? ''}; media-src 'self' blob:; img-src 'self' data:; worker-src 'self'; base-uri 'none'; form-action 'self'`,
    });
    answer.end(body);
  }

  render(room, lang) {
    const words = this.built.words[lang];
    const status = room ? statusOf(room) : { title: words.missing_title };
    const url = room ? `${this.origin}/${room.name}` : this.origin;
    const place = { locale: lang, zone: 'UTC', day: words.day_unit };
    const facts = room ? this.rules.facts(status, Date.now(), place) : { title: status.title, missing: true };
    const { room: _, ...shown } = status;
    const data = { ...shown, url, inside: `/assets/${this.built.inside[lang]}`, day: words.day_unit };
    return this.rules.fill(text(`door/page.${lang}.html`), {
      ...facts,
      url,
      path: room ? `/${room.name}` : '',
      card: `${this.origin}/assets/${this.built.card}`,
      dot: status.state === 'live' ? 'b3261e' : '888',
      style: text('door/page.css'),
      script: text('door/door.js'),
      main: text(`door/${facts.ended ? 'over' : 'main'}.${lang}.html`),
      data: JSON.stringify(data).replaceAll('<', '\\u003c'),
    });
  }

  asset(request, answer, file) {
    if (file === this.built.card)
      return send(answer, 200, 'image/png', readFileSync(new URL('door/card.png', DIST)));
    const lang = Object.keys(this.built.inside).find((one) => this.built.inside[one] === file);
    const name = file === this.built.floor ? 'floor' : lang && `inside.${lang}`;
    if (!name) return send(answer, 404, 'text/plain', '');
    answer.setHeader('content-encoding', 'gzip');
    answer.setHeader('cache-control', 'public, max-age=31536000, immutable');
    send(answer, 200, 'text/javascript', readFileSync(new URL(`door/${name}.js.gz`, DIST)));
  }

  /** The program from `from_s` if the window has it, else from the live edge, then each part as it is cut. */
  stream(request, answer, room, file, url) {
    const form = program()[file];
    if (!form || room.status.state === 'scheduled') return send(answer, 404, 'application/json', '{}');
    if (room.status.state === 'ended') return send(answer, 410, 'application/json', '{"code":"room_ended"}');
    const [type, init, parts] = form;
    answer.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
    if (request.method === 'HEAD') return answer.end();
    answer.write(init);
    const edge = room.newest();
    const asked = Math.round((Number(url.searchParams.get('from_s') ?? NaN) * 1000) / PART_MS);
    let next = asked > edge - WINDOW_PARTS && asked <= edge + 1 ? asked : Math.max(0, edge - JOIN_PARTS + 1);
    const push = () => {
      while (next <= room.newest() && parts[next]) answer.write(parts[next++]);
    };
    push();
    const clock = setInterval(push, 20);
    const end = () => {
      clearInterval(clock);
      room.streams.delete(end);
      answer.end();
    };
    room.streams.add(end);
    answer.on('close', end);
  }
}

function statusOf(room) {
  const { status } = room;
  const listening = (status.listening || 0) + room.streams.size;
  return {
    ...status,
    now: new Date().toISOString(),
    listening,
    peak: Math.max(status.peak, listening),
    program: status.state === 'scheduled' ? status.program : { head: null, parts: room.newest() },
  };
}

function send(answer, code, type, body) {
  answer.writeHead(code, { 'content-type': type });
  answer.end(body);
}

function range(request, answer, type, bytes) {
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
  const [first, last] = [Number(from ?? 0), to ? Math.min(Number(to), bytes.length - 1) : bytes.length - 1];
  answer.writeHead(from === undefined ? 200 : 206, {
    'content-type': type,
    'accept-ranges': 'bytes',
    'content-length': last - first + 1,
    ...(from === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${bytes.length}` }),
  });
  answer.end(request.method === 'HEAD' ? undefined : bytes.subarray(first, last + 1));
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const node = await new FakeNode().start(Number(process.argv[2] ?? 0));
  for (const state of ['scheduled', 'boarding', 'live', 'ended']) {
    const room = await node.room({ starts_at: new Date(Date.now() + 4320e3).toISOString() });
    if (state === 'boarding') room.board();
    if (state === 'live' || state === 'ended') room.live();
    if (state === 'ended') room.end();
    process.stdout.write(`${state}: ${node.origin}/${room.name}\n`);
  }
}
