// A stage listener that can be told what to do: the pages, cookies, events and acts of the API, with people
// that tests move about. Sound is real: a page of the test's browser answers WHIP (see `Media`).
//
// By hand: `node tests/fake-stage.mjs [port]`, then open the printed links (without sound).

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { brotliDecompressSync } from 'node:zlib';

const DIST = new URL('../dist/desk/', import.meta.url);
export const OPERATOR = 'operator-key-of-the-tests-0123456789';
const CSP = (more = '') =>
  `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'${more}; img-src 'self' data:; ` +
  `media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

/** A page of any origin may offer, with a key. */
const ANY_ORIGIN = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'OPTIONS, POST, PATCH, DELETE',
  'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
  'access-control-expose-headers': 'Location, ETag',
};

const secret = () => randomBytes(18).toString('base64url');
const RECORDED = ({ name, status, failing }) => ({
  room: name,
  state: 'open',
  seconds: status.program.parts * 0.32,
  bytes: status.program.parts * 2_560,
  failing,
});
const now = () => new Date().toISOString();

/** Somebody on the stage, as the view shows them. */
export const person = (name, given = {}) => ({
  id: name.toLowerCase().replace(/\W+/g, '-'),
  name,
  role: 'speaker',
  floor: 'holds',
  muted: 'no',
  here: true,
  speaking: false,
  sound: 'good',
  echo: false,
  clipping: false,
  ...given,
});

const ACCOUNTS = ['listener', 'newcomer', 'our_doing', 'unexplained', 'violation', 'shed', 'unseen'];
const UNITS = ['connections', 'handshakes', 'requests', 'connection_seconds'];

/** What a guard says of an evening: `of` are the accounts' shares, in the order of the table. */
export function guardSays(kind, given = {}, of = [60, 9, 0, 0, 0, 0, 0]) {
  const ledger = (times) => {
    const accounts = Object.fromEntries(ACCOUNTS.map((account, i) => [account, of[i] * times]));
    return Object.fromEntries(UNITS.map((unit) => [unit, accounts]));
  };
  const said = {
    kind,
    self_inflicted: false,
    confidence: 0.97,
    attack_share: { requests: [0, 0.05], newcomers: [0, 1], connection_seconds: [0, 0.08] },
    since: new Date(Date.now() - 300_000).toISOString(),
    because: ['No more people than usual, and who listens explains what is asked.'],
  };
  return {
    verdict: { ...said, ...given },
    people: 4_871,
    usual: 4_600,
    newcomers: { became_listeners: 38, known: 41 },
    sources: 5_012,
    onset_ms: {},
    ledger: { last_second: ledger(1), ever: ledger(1_800) },
    acts: [],
  };
}

/** Something that a guard did by itself, so long ago. */
export const shut = (number, source, agoMs, given = {}) => ({
  number,
  at: new Date(Date.now() - agoMs).toISOString(),
  source,
  until: new Date(Date.now() - agoMs + 60_000).toISOString(),
  violations: 12,
  undone: false,
  ...given,
});

class Room {
  constructor(name, given) {
    this.name = name;
    this.keys = Object.fromEntries(['host', 'cohost', 'speaker'].map((role) => [role, secret()]));
    this.people = [];
    this.requests = [];
    this.sources = [];
    this.invitations = [];
    this.lines = new Map();
    this.streams = new Set();
    /** Lines that a newer visit of the same person took over. */
    this.takenOver = new Set();
    this.failing = null;
    this.audit = [];
    this.status = {
      room: name,
      title: 'An evening conversation',
      state: 'scheduled',
      starts_at: null,
      started_at: null,
      ended_at: null,
      seq: 7,
      seats: {
        cap: 5000,
        cap_why: 'The node gives at most 5,000 seats to one room.',
        taken: 0,
        hls_estimate: 0,
      },
      listening: 0,
      peak: 0,
      replays: 0,
      turned_away: 0,
      program: { head: null, parts: 0 },
      notices: [],
      replay: null,
      ...given,
    };
  }

  find(id) {
    return this.people.find((one) => one.id === id);
  }

  view({ role, person: you }) {
    const { people, requests, sources } = this;
    const role_now = this.find(you)?.role ?? role;
    const limits = { people_max: 16, requests_max: 32 };
    return { you: you ?? null, role: role_now, state: this.status.state, people, requests, sources, limits };
  }

  /** Tells everybody what is so now. */
  show() {
    for (const stream of this.streams) stream.show();
  }

  speaks(id, speaking) {
    const someone = this.find(id);
    if (someone) someone.speaking = speaking;
    for (const stream of this.streams) stream.tell('speaking', { id, speaking });
  }

  end() {
    Object.assign(this.status, { state: 'ended', ended_at: now() });
    const at = (file) => `/${this.name}/${file}`;
    this.status.replay = {
      opus: at('replay.opus'),
      m4a: at('replay.m4a'),
      hls: at('replay.m3u8'),
      seal: at('seal'),
    };
    this.show();
  }
}

export class FakeStage {
  rooms = new Map();
  signed = new Map();
  requests = [];
  waiting = [];
  passkeys = false;
  /** What becomes of sign-ins: nothing is answered, or that the node is restarting. */
  trouble = '';
  /** What the guard says; an older node has none. */
  guard = undefined;
  /** What offers were refused with. */
  refusedOffers = [];
  /** Keys of those who were granted the floor, and who they are. */
  grants = new Map();
  /** `(id, offer) => answer`, and `id` taken down: set by `Media`. */
  answer = undefined;
  hangUp = () => {};

  async start(port = 0) {
    this.server = createServer((request, answer) => {
      answer.on('close', () => this.waiting.splice(0).forEach((done) => done()));
      this.serve(request, answer).catch((error) => {
        if (!answer.headersSent) answer.writeHead(500);
        answer.end(String(error));
      });
    });
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
    return this;
  }

  /** Comes back with the next request that was answered. */
  next() {
    return new Promise((done) => this.waiting.push(done));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** Down, and nobody's line survives; cookies and floors do. */
  async goDown() {
    for (const room of this.rooms.values()) {
      for (const id of room.lines.keys()) await this.hangUp(id);
      room.lines.clear();
      for (const one of room.people) one.here = false;
    }
    await this.stop();
  }

  room(given = {}) {
    const room = new Room(`evening-${this.rooms.size + 1}`, given);
    this.rooms.set(room.name, room);
    return room;
  }

  link(room, role = 'host') {
    return `${this.origin}/${room.name}/stage#key=${room.keys[role]}`;
  }

  async serve(request, answer) {
    const url = new URL(request.url, this.origin);
    const [, first, second, third] = url.pathname.split('/');
    this.requests.push(`${request.method} ${url.pathname}`);
    if (first === 'assets') return this.asset(answer, second);
    if (first === 'console') return this.page(request, answer, 'console');
    if (first === 'api') return this.api(request, answer, url);
    const room = this.rooms.get(first);
    if (second === 'stage') return this.page(request, answer, 'stage');
    if (second === 'whip' && room) return this.whip(request, answer, room, third);
    return refuse(answer, 404, 'no_such_page');
  }

  page(request, answer, name) {
    const asked = new URL(request.url, this.origin).searchParams.get('lang');
    const lang = asked ?? (/^fr/.test(request.headers['accept-language'] ?? '') ? 'fr' : 'en');
    const html = readFileSync(new URL(`${name}.${lang}.html`, DIST), 'utf8')
      .replace('{{public}}', this.publicOrigin ?? this.origin)
      .replace('{{version}}', '0.0.0');
    answer.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': CSP(name === 'console' && this.publicOrigin ? ' ' + this.publicOrigin : ''),
      'referrer-policy': 'no-referrer',
      'permissions-policy': 'microphone=(self)',
    });
    answer.end(html);
  }

  asset(answer, file) {
    const [name, , kind] = file.split('.');
    const bytes = brotliDecompressSync(readFileSync(new URL(`${name}.${kind}.br`, DIST)));
    const type = kind === 'js' ? 'text/javascript' : 'text/css';
    answer.writeHead(200, { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' });
    answer.end(bytes);
  }

  /** As whom the cookie speaks. */
  who(request) {
    const id = /(?:^|; )tribune=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
    return [id, this.signed.get(id) ?? { operator: false, rooms: new Map() }];
  }

  async api(request, answer, url) {
    const parts = url.pathname.split('/').slice(3);
    const body = await bodyOf(request);
    if (request.method !== 'GET' && request.headers.origin !== this.origin)
      return refuse(answer, 403, 'origin_wrong');
    if (parts[0] === 'session') return this.session(request, answer, body);
    const [id, who] = this.who(request);
    if (parts[0] === 'rooms' && parts.length === 1) {
      if (!who.operator) return refuse(answer, 401, 'key_wrong');
      const rooms = [...this.rooms.values()].map(({ status }) => status);
      return say(answer, 200, { rooms });
    }
    if (parts[0] === 'guard' && this.guard) return this.guarding(answer, who, parts);
    if (parts[0] !== 'rooms') return refuse(answer, 404, 'no_such_page');
    const room = this.rooms.get(parts[1]);
    if (!room) return refuse(answer, 404, 'room_unknown', 'There is no room of this name.');
    const rest = parts.slice(2).join('/');
    if (rest === '' && request.method === 'GET') return say(answer, 200, { ...room.status, now: now() });
    const mine = who.rooms.get(room.name) ?? (who.operator ? { role: 'operator', person: null } : undefined);
    if (!mine) return refuse(answer, 401, 'signed_out');
    if (rest === 'events') return this.events(answer, room, id, mine);
    return this.act(answer, room, { mine, id, rest, body, method: request.method });
  }

  guarding(answer, who, [, , number]) {
    if (!who.operator) return refuse(answer, 401, 'key_wrong');
    if (number === undefined) return say(answer, 200, this.guard);
    const act = this.guard.acts.find((one) => one.number === Number(number));
    if (!act) return refuse(answer, 404, 'no_such_page', 'The node’s words.');
    act.undone = true;
    say(answer, 204);
  }

  session(request, answer, body) {
    const [id, who] = this.who(request);
    if (this.trouble === 'unreached') return answer.destroy();
    if (this.trouble) return refuse(answer, 503, this.trouble);
    if (request.method === 'GET') {
      const rooms = [...who.rooms.values()];
      return say(answer, 200, { operator: who.operator, rooms, passkeys: this.passkeys });
    }
    if (request.method === 'DELETE') {
      this.signed.delete(id);
      return say(answer, 204);
    }
    const signed = { operator: who.operator, rooms: new Map(who.rooms) };
    if (body.operator !== undefined) {
      if (body.operator !== OPERATOR) return refuse(answer, 401, 'key_wrong');
      signed.operator = true;
    } else {
      const room = this.rooms.get(body.room);
      const role = Object.keys(room?.keys ?? {}).find((one) => room.keys[one] === body.key);
      const invited = room?.invitations.find(({ key }) => key === body.key);
      if (!role && !invited) return refuse(answer, 401, 'key_wrong', 'This key opens nothing.');
      const by = invited?.id ?? role;
      const mine = { room: room.name, role: role ?? invited.role, person: secret().slice(0, 16), name: null, by };
      signed.rooms.set(room.name, mine);
    }
    const made = secret();
    this.signed.set(made, signed);
    answer.setHeader('set-cookie', `tribune=${made}; HttpOnly; SameSite=Strict; Path=/`);
    say(answer, 201, body.room ? signed.rooms.get(body.room) : {});
  }

  events(answer, room, id, mine) {
    answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const tell = (event, data) => answer.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const show = () => {
      const who = this.signed.get(id);
      if (!who?.operator && who?.rooms.get(room.name) !== mine) return stream.gone('signed_out');
      stream.tell('status', { ...room.status, now: now() });
      stream.tell('stage', room.view(mine));
    };
    const gone = (why) => {
      stream.tell('gone', { why });
      room.streams.delete(stream);
      answer.end();
    };
    const stream = { show, tell, gone, person: mine.person };
    room.streams.add(stream);
    answer.on('close', () => room.streams.delete(stream));
    show();
  }

  act(answer, room, { mine, id, rest, body, method }) {
    const self = room.find(mine.person);
    const other = room.find(body?.person);
    const { status } = room;
    let still = {};
    const drop = (gone) => (room.requests = room.requests.filter((one) => one.id !== gone));
    const acts = {
      stage: () => {},
      name: () => {
        mine.name = body.name;
        if (self) self.name = body.name;
      },
      'floor/request': () => {
        self.floor = 'requested';
        room.requests.push({ id: self.id, name: self.name, since: now() });
      },
      'floor/release': () => {
        self.floor = 'none';
        drop(self.id);
      },
      'floor/grant': () => {
        const asked = room.requests.find((one) => one.id === body.person);
        if (other) other.floor = 'holds';
        else room.people.push(person(asked.name, { id: asked.id, role: 'listener', here: false }));
        drop(body.person);
      },
      'floor/decline': () => {
        if (other) other.floor = 'none';
        drop(body.person);
      },
      'floor/revoke': () => (other.floor = 'none'),
      mute: () => {
        const whom = body.person ? other : self;
        if (whom) whom.muted = body.muted ? (body.person ? 'host' : 'self') : 'no';
        if (!whom) mine.muted = body.muted;
      },
      role: () => (other.role = body.role),
      remove: () => {
        still = this.remove(room, body.person);
      },
      live: () => Object.assign(status, { state: 'live', started_at: now() }),
      end: () => room.end(),
      cap: () => (status.seats.cap = body.cap ?? 5000),
      notice: () => status.notices.push({ at: now(), text: body.text }),
      '': () => (status.starts_at = body.starts_at),
    };
    if (acts[rest] && method !== 'DELETE') {
      acts[rest]();
      room.show();
      const isStatus = ['live', 'end', 'cap', 'notice', ''].includes(rest);
      return say(answer, 200, isStatus ? { ...status, now: now() } : { ...room.view(mine), ...still });
    }
    if (rest === 'recording') return say(answer, 200, RECORDED(room));
    if (rest === 'links') return say(answer, 200, { listen: `${this.origin}/${room.name}` });
    if (rest === 'audit') return say(answer, 200, { audit: room.audit });
    if (rest.startsWith('invitations')) return this.invitations(answer, room, { rest, body, method });
    if (rest === 'keys') return this.renew(answer, room, body.roles);
    if (rest.startsWith('sessions')) return this.sessions(answer, room, { rest, id, method });
    return refuse(answer, 404, 'no_such_page');
  }

  /** Everybody who is signed in to a room. */
  badges(room) {
    return [...this.signed.values()].map((who) => who.rooms.get(room.name)).filter(Boolean);
  }

  /** Their cookie opens nothing in this room any more, and their sound is gone. */
  takeBadge(room, gone) {
    for (const who of this.signed.values())
      if (who.rooms.get(room.name)?.person === gone) who.rooms.delete(room.name);
    room.people = room.people.filter((one) => one.id !== gone);
    for (const [id, line] of room.lines) if (line.person === gone) this.hangUp(id);
  }

  /** What still opens the stage to them: an invitation that others came by too, or a key of the room. */
  remove(room, gone) {
    const by = this.badges(room).find(({ person }) => person === gone)?.by;
    this.takeBadge(room, gone);
    for (const stream of room.streams) if (stream.person === gone) stream.gone('removed');
    if (by && room.keys[by]) return { still_opens: 'key', opens_as: by };
    if (this.badges(room).some((one) => one.by === by)) return { still_opens: 'invitation', id: by };
    room.invitations = room.invitations.filter(({ id }) => id !== by);
    return { still_opens: null };
  }

  /** Whoever came by an old key is out. */
  renew(answer, room, roles) {
    for (const role of roles) {
      room.keys[role] = secret();
      this.shut(room, role);
    }
    const enter = Object.fromEntries(roles.map((role) => [role, this.link(room, role)]));
    say(answer, 200, { keys: room.keys, enter });
  }

  shut(room, by) {
    for (const { person } of this.badges(room).filter((one) => one.by === by)) this.takeBadge(room, person);
    room.show();
  }

  invitations(answer, room, { rest, body, method }) {
    if (method === 'GET')
      return say(
        answer,
        200,
        room.invitations.map(({ id, role, label }) => ({ id, role, label })),
      );
    if (method === 'DELETE') {
      const gone = room.invitations.find(({ id }) => rest.endsWith(id));
      room.invitations = room.invitations.filter((one) => one !== gone);
      this.shut(room, gone?.id);
      return say(answer, 204);
    }
    const key = secret();
    const link = `${this.origin}/${room.name}/stage#key=${key}`;
    const made = { id: secret().slice(0, 8), role: body.role, label: body.label ?? null, link, key };
    room.invitations.push(made);
    return say(answer, 201, made);
  }

  sessions(answer, room, { rest, id, method }) {
    const tag = (one) => one.slice(0, 8);
    if (method === 'DELETE') {
      const gone = [...this.signed.keys()].find((one) => rest.endsWith(tag(one)));
      this.signed.delete(gone);
      room.show();
      return say(answer, 204);
    }
    const all = [...this.signed].filter(([, who]) => who.rooms.has(room.name));
    return say(
      answer,
      200,
      all.map(([one, who]) => {
        const { role, name } = who.rooms.get(room.name);
        const at = now();
        return { id: tag(one), role, name, since: at, seen: at, agent: 'Chromium on Linux', you: one === id };
      }),
    );
  }

  async whip(request, answer, room, line) {
    const [, who] = this.who(request);
    const bearer = /^Bearer (.+)/.exec(request.headers.authorization ?? '')?.[1];
    for (const [name, value] of Object.entries(ANY_ORIGIN)) answer.setHeader(name, value);
    if (request.method === 'OPTIONS') return say(answer, 200);
    const mine = bearer ? this.grants.get(bearer) : who.rooms.get(room.name);
    const refused = (status, code) => {
      this.refusedOffers.push(code);
      return refuse(answer, status, code);
    };
    if (!mine) return refused(401, bearer ? 'key_wrong' : 'signed_out');
    const me = () => room.find(mine.person);
    if (request.method === 'DELETE') {
      await this.hangUp(line);
      room.lines.delete(line);
      if (me()) me().here = false;
      room.show();
      return say(answer, 200);
    }
    const offer = await textOf(request);
    this.offers = [...(this.offers ?? []), offer];
    const again = new URL(request.url, this.origin).searchParams.get('again');
    if (room.takenOver.has(again)) return refused(409, 'taken_over');
    for (const [older, { person }] of [...room.lines]) {
      if (person !== mine.person) continue;
      if (older !== again) room.takenOver.add(older);
      await this.hangUp(older);
      room.lines.delete(older);
    }
    const id = secret();
    const sdp = await this.answer(id, offer);
    room.lines.set(id, { person: mine.person });
    const muted = mine.muted ? 'self' : 'no';
    if (!me()) room.people.push(person(mine.name ?? 'Somebody', { id: mine.person, role: mine.role, muted }));
    me().here = true;
    room.show();
    answer.writeHead(201, {
      'content-type': 'application/sdp',
      location: `/${room.name}/whip/${id}`,
      etag: '"1"',
    });
    answer.end(sdp);
  }
}

/** The far end of every line: a page that answers offers and sends a tone back. */
export class Media {
  static async begin(browser, stage) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.evaluate(() => {
      const audio = new AudioContext();
      const lines = new Map();
      window.levels = lines;
      window.hangUp = (id) => {
        lines.get(id)?.connection.close();
        lines.delete(id);
      };
      window.answer = async (id, sdp) => {
        const connection = new RTCPeerConnection();
        const line = { connection };
        lines.set(id, line);
        connection.ontrack = ({ track }) => (line.track = track);
        await connection.setRemoteDescription({ type: 'offer', sdp });
        const tone = new OscillatorNode(audio, { frequency: 440 });
        const to = audio.createMediaStreamDestination();
        tone.connect(new GainNode(audio, { gain: 0.1 })).connect(to);
        tone.start();
        const [transceiver] = connection.getTransceivers();
        transceiver.direction = 'sendrecv';
        await transceiver.sender.replaceTrack(to.stream.getAudioTracks()[0]);
        await connection.setLocalDescription();
        while (connection.iceGatheringState !== 'complete')
          await new Promise((done) => (connection.onicegatheringstatechange = done));
        return connection.localDescription.sdp;
      };
    });
    stage.answer = (id, sdp) => page.evaluate(([one, offer]) => window.answer(one, offer), [id, sdp]);
    stage.hangUp = (id) => page.evaluate((one) => window.hangUp(one), id);
    return context;
  }
}

function say(answer, status, body) {
  answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  answer.end(body === undefined ? undefined : JSON.stringify(body));
}

function refuse(answer, status, code, message = '') {
  say(answer, status, { code, message, retry_after_s: 0, request_id: 'test' });
}

async function textOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

async function bodyOf(request) {
  const text = await textOf(request);
  return text ? JSON.parse(text) : undefined;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const stage = await new FakeStage().start(Number(process.argv[2] ?? 0));
  process.stdout.write(`${stage.link(stage.room())}\n${stage.origin}/console (${OPERATOR})\n`);
}
