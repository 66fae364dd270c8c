// Pictures of the stage, the console and the floor in every state, for people to look at: `npm run pictures`.

import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeNode } from './fake-node.mjs';
import { FakeStage, Media, OPERATOR, guardSays, person, shut } from './fake-stage.mjs';
import { pullable } from './microphone.mjs';
import { Visit, launch } from './visit.mjs';

const folder = process.argv[2] ?? join(tmpdir(), 'tribune-pictures');
const HOUR_MS = 3_600_000;
const KEY = 'a-key-that-was-granted-0123456789';
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const live = {
  state: 'live',
  started_at: ago(0.42 * HOUR_MS),
  starts_at: ago(0.4 * HOUR_MS),
  listening: 18_402,
  seats: { cap: 40_000, cap_why: 'The host set this limit.', taken: 18_410, hls_estimate: 0 },
};

const crowd = (room) => {
  room.people = [
    person('Ada Lovelace', { speaking: true }),
    person('Jean Moulin', { role: 'cohost', muted: 'self', sound: 'none' }),
    person('María Zambrano', { sound: 'poor' }),
    person('Olympe de Gouges', { sound: 'lost' }),
    person('Ngũgĩ', { echo: true, sound: 'fair' }),
    person('Simone Weil', { here: false, sound: 'none' }),
    person('Frantz', { floor: 'none', sound: 'none' }),
  ];
  room.requests = ['Beth Ditto', 'Karl'].map((name, i) => ({ id: name, name, since: ago((4 - i) * 60_000) }));
  room.sources = [{ name: 'studio' }];
};

async function join_(visitor) {
  const { page } = visitor;
  await page.fill('[name=name]', 'Anna Seghers');
  await page.check('[name=accept]');
  await page.click('.join button:not([disabled])');
  await page.waitForSelector('.dock-says p.good, .dock-says p');
  await page.waitForFunction(() => !/Connecting|connecte…/.test(document.body.innerText));
}

/** Each state: how the room stands, as whom one comes, and what one does. */
const STATES = {
  'stage-door': { path: (room) => `/${room.name}/stage` },
  'stage-green': { given: { starts_at: ago(-0.5 * HOUR_MS) }, room: crowd, role: 'speaker' },
  'stage-green-tested': {
    role: 'speaker',
    visit: async ({ page }) => {
      await page.fill('[name=name]', 'Anna Seghers');
      await page.click('.steps section:nth-of-type(3) button');
      await page.waitForSelector('.steps section:nth-of-type(3) .good');
    },
  },
  'stage-denied': {
    role: 'speaker',
    script: () =>
      (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))),
  },
  'stage-before': { given: { starts_at: ago(-0.1 * HOUR_MS) }, room: crowd, visit: join_ },
  'stage-host': {
    given: { ...live, notices: [{ at: ago(300_000), text: 'We begin with the question of bread.' }] },
    room: crowd,
    visit: join_,
  },
  'stage-host-open': {
    given: live,
    room: crowd,
    visit: async (visitor) => {
      await join_(visitor);
      const { page } = visitor;
      for (const one of await page.locator('.desk details > summary').all()) await one.click();
      await page.locator('.tile .rule summary').first().click();
      await page.locator('.desk details .row button').first().click();
      await page.waitForSelector('.square');
    },
  },
  'stage-end': {
    given: live,
    room: crowd,
    isSeen: true,
    visit: async (visitor) => {
      await join_(visitor);
      await visitor.page.locator('.desk .danger').first().click();
    },
  },
  'stage-speaker': { given: live, room: crowd, role: 'speaker', visit: join_ },
  'stage-trouble': {
    given: live,
    room: crowd,
    role: 'speaker',
    visit: async (visitor, room) => {
      await join_(visitor);
      Object.assign(room.people.at(-1), { muted: 'no', echo: true, clipping: true });
      room.show();
      await visitor.page.waitForSelector('.dock .warn');
    },
  },
  'stage-muted': {
    given: live,
    room: crowd,
    role: 'speaker',
    visit: async (visitor, room) => {
      await join_(visitor);
      room.people.at(-1).muted = 'host';
      room.show();
      await visitor.page.waitForSelector('.is-muted');
    },
  },
  'stage-left': {
    role: 'speaker',
    visit: async (visitor) => {
      await join_(visitor);
      await visitor.page.locator('.dock-acts button').last().click();
    },
  },
  'stage-door-refused': { path: (room) => `/${room.name}/stage#key=wrong-key-0123456789012345` },
  'stage-unreached': {
    trouble: 'unreached',
    role: 'speaker',
    isBare: true,
    visit: ({ page }) => page.waitForSelector('[role=alert]'),
  },
  'stage-green-elsewhere': { given: live, role: 'speaker', visit: second },
  'stage-elsewhere': {
    given: live,
    role: 'speaker',
    visit: async (visitor, room) => {
      const first = visitor.page;
      await second(visitor, room);
      await visitor.page.click('.join button:not([disabled])');
      await first.waitForSelector('main h1 + p + .row');
      visitor.page = first;
    },
  },
  'stage-removed': {
    given: live,
    role: 'speaker',
    visit: async (visitor, room) => {
      await join_(visitor);
      stage.remove(room, room.people.at(-1).id);
      await visitor.page.waitForSelector('main h1 + p + .row');
    },
  },
  'stage-removal': {
    given: live,
    room: crowd,
    isSeen: true,
    visit: async (visitor) => {
      await join_(visitor);
      await visitor.page.locator('.rule summary').first().click();
      await visitor.page.locator('.rule .danger').first().click();
    },
  },
  'stage-still-open': {
    given: live,
    isSeen: true,
    visit: async (visitor, room) => {
      const guest = await Visit.to(browser, stage.link(room, 'speaker'), { context: { locale: 'en-GB' } });
      await join_(guest);
      await join_(visitor);
      await visitor.page.locator('.rule summary').first().click();
      await visitor.page.locator('.rule .danger').first().click();
      await visitor.page.click('dialog[open] .danger');
      await visitor.page.waitForSelector('dialog [role=status]');
      await guest.context.close();
    },
  },
  'stage-no-microphone': {
    given: live,
    role: 'speaker',
    script: pullable,
    visit: async (visitor) => {
      await join_(visitor);
      await visitor.page.evaluate(() => {
        window.bare = true;
        window.pull();
      });
      await visitor.page.waitForSelector('.dock .warn');
    },
  },
  'stage-ended': { given: { ...live, peak: 31_077, turned_away: 212 }, room: (room) => room.end() },
  'stage-missing': { path: () => '/console-that-is-not/stage' },
  'console-door': { path: () => '/console' },
  'console-refused': {
    path: () => '/console',
    visit: async ({ page }) => {
      await page.fill('[name=key]', 'not-the-key');
      await page.click('main button');
      await page.waitForSelector('[role=alert]');
    },
  },
  console: { path: () => '/console', room: evening, visit: operates },
  'console-calm': { path: () => '/console', room: (room) => guarded(room, 'calm'), visit: operates },
  'console-attack': { path: () => '/console', room: (room) => guarded(room, 'both'), visit: operates },
  'console-unknown': { path: () => '/console', room: (room) => guarded(room, 'unknown'), visit: operates },
  floor: { isListener: true },
  'floor-asking': {
    isListener: true,
    visit: ({ page }) => page.click('#ask').then(() => page.waitForSelector('#fname')),
  },
  'floor-requested': { isListener: true, visit: asks },
  'floor-granted': {
    isListener: true,
    visit: (visitor, room) => asks(visitor, room).then(() => grants(visitor, room)),
  },
  'floor-on': { isListener: true, visit: speaks },
  'floor-muted': {
    isListener: true,
    visit: (visitor, room) => hears(visitor, room, { muted: 'host' }),
  },
  'floor-trouble': {
    isListener: true,
    visit: (visitor, room) => hears(visitor, room, { echo: true, clipping: true, sound: 'poor' }),
  },
  'floor-no-microphone': {
    isListener: true,
    script: pullable,
    visit: async (visitor, room) => {
      await speaks(visitor, room);
      await visitor.page.evaluate(() => {
        window.bare = true;
        window.pull();
      });
      await visitor.page.waitForSelector('#mic');
    },
  },
};

async function operates({ page }) {
  await page.fill('[name=key]', OPERATOR);
  await page.click('main button');
  await page.waitForSelector('.plot canvas');
  await page.waitForFunction(() => document.querySelectorAll('.scroll tbody tr').length > 20);
}

const UNTOLD = 'Most requests come through a proxy that is not trusted here, so nobody can be told apart: name it with --trusted-proxy.';
const BOTH = [
  'In 10 s nobody who listens, comes or was refused explains 31,204 of 44,012 requests, and 2,204 broke the rules.',
  '380 of 4,120 newcomers became listeners: 8 to 10 %.',
  '18,402 people are here where 4,600 are usual.',
  'We answered 1,204 requests with errors of our own or put them off, and 812 of 44,012 came again because of us: that is our doing.',
];

/** An evening with a guard: what it says now, and what it said before. */
function guarded(room, kind) {
  evening(room);
  const shares = { requests: [0.713, 0.829], newcomers: [0.61, 0.93], connection_seconds: [0.02, 0.12] };
  const given = kind === 'both' && { because: BOTH, attack_share: shares, self_inflicted: true, confidence: 0.9 };
  const of = kind === 'both' && [12_004, 4_040, 812, 31_204, 2_204, 12_040, 0];
  const untold = kind === 'unknown' && { because: [UNTOLD], confidence: 0.5 };
  stage.guard = guardSays(kind, { ...given, ...untold }, of || undefined);
  const { earlier } = room;
  const course = ['calm', 'calm', 'crowd', 'attack', 'crowd', 'both', 'both', kind];
  const before = (seq) => ({ ...guardSays(course[Math.floor(seq / 57)]).verdict, since: null });
  room.earlier = (seq) => ({ ...earlier(seq), verdict: { ...before(seq), self_inflicted: seq > 300 && kind === 'both' } });
  room.status.verdict = stage.guard.verdict;
  if (kind !== 'both') return;
  const sources = ['203.0.113.9', '2001:db8:7::', '198.51.100.77', '192.0.2.14'];
  stage.guard.acts = sources.map((source, i) => shut(i, source, (4 - i) * 41_000, { undone: i === 1, violations: 11 + 17 * i }));
}

async function second(visitor, room) {
  await join_(visitor);
  visitor.page = await visitor.context.newPage();
  await visitor.page.goto(`${stage.origin}/${room.name}/stage`);
  await visitor.page.waitForSelector('form > .note');
}

async function speaks(visitor, room) {
  await asks(visitor, room);
  await grants(visitor, room);
  await visitor.page.click('#speak');
  await visitor.page.waitForSelector('#hush');
  await visitor.page.waitForFunction(() => !/Connecting|connecte…/.test(document.body.innerText));
}

async function hears(visitor, room, you) {
  await speaks(visitor, room);
  const own = { muted: null, sound: 'good', echo: false, clipping: false, silent: false, ...you };
  room.rule({ ...room.floor, you: own });
  const { muted } = own;
  await visitor.page.waitForFunction((is) => is || document.querySelector('.panel .note'), muted);
  if (muted) await visitor.reads(/host has muted|hôte a coupé/);
}

function evening(room) {
  Object.assign(room.status, live, {
    seq: 400,
    listening: 4_870,
    peak: 5_000,
    turned_away: 812,
    program: { head: 'ab', parts: 4_725 },
    seats: { cap: 5_000, cap_why: 'The host set this limit.', taken: 4_871, hls_estimate: 0 },
    notices: [{ at: ago(900_000), text: 'We are ten minutes late because of us, not of you.' }],
  });
  crowd(room);
  room.audit = [
    { at: ago(600_000), by: 'host', name: 'Anna Seghers', act: 'cap', outcome: 'done' },
    { at: ago(620_000), by: 'host', name: 'Anna Seghers', act: 'mute', whom_name: 'Jean Moulin', outcome: 'done' },
    { at: ago(650_000), by: 'speaker', name: 'Jean Moulin', act: 'come', outcome: 'done' },
    { at: ago(660_000), by: 'speaker', name: 'Jean Moulin', act: 'sign_in', outcome: 'done' },
    { at: ago(690_000), by: 'host', name: 'Anna Seghers', act: 'invite_speaker', whom_name: 'Jean', outcome: 'done' },
    { at: ago(700_000), by: 'cohost', act: 'end', outcome: 'role_too_low', message: 'This role may not do this.' },
    { at: live.started_at, by: 'host', act: 'live', outcome: 'done' },
  ];
  room.earlier = (seq) => {
    const share = seq / 400;
    const listening = Math.round(
      5_000 / (1 + Math.exp(-(share - 0.25) / 0.05)) - 130 * Math.max(0, share - 0.8) * 5,
    );
    const turned_away = Math.round(812 * Math.max(0, Math.min(1, (share - 0.4) / 0.3)));
    return { ...room.status, seq, now: ago((1 - share) * 0.5 * HOUR_MS), listening, turned_away };
  };
}

async function asks({ page }) {
  await page.click('#ask');
  await page.fill('#fname', 'Gast');
  await page.click('#request');
  await page.waitForSelector('#nofloor');
}

async function grants({ page }, room) {
  room.rule({ state: 'granted', stage: { whip: `${stage.origin}/${stageRoom.name}/whip`, key: KEY } });
  await page.waitForSelector('#speak');
}

async function listener(state, options) {
  const room = await node.room({ listening: 18_402, peak: 31_077 });
  room.live();
  room.status.started_at = ago(HOUR_MS);
  room.speaking.people = [{ name: 'Ada Lovelace' }, { name: 'Jean Moulin' }];
  room.speaking.turns = [{ name: 'Ada Lovelace', from_part: 0, to_part: null }];
  const visitor = await Visit.to(browser, `${node.origin}/${room.name}`, {
    ...options,
    origins: [stage.origin],
    script: state.script,
  });
  await visitor.page.click('#play');
  await visitor.page.waitForSelector('.behind');
  await state.visit?.(visitor, room);
  return visitor;
}

async function speaker(state, options) {
  const room = stage.room(state.given);
  stage.trouble = state.trouble ?? '';
  state.room?.(room);
  const url = state.path ? stage.origin + state.path(room) : stage.link(room, state.role ?? 'host');
  const visitor = await Visit.to(browser, url, {
    ...options,
    origins: [stage.publicOrigin],
    script: state.script,
  });
  if (!state.isBare) await visitor.page.waitForSelector('h1');
  await state.visit?.(visitor, room);
  return visitor;
}

async function statuses() {
  const server = createServer((request, answer) => {
    const [, name, , seq] = request.url.split('/');
    const earlier = stage.rooms.get(name)?.earlier?.(Number(seq));
    answer.writeHead(earlier ? 200 : 410, { 'access-control-allow-origin': '*' });
    answer.end(earlier && JSON.stringify(earlier));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.publicOrigin = `http://127.0.0.1:${server.address().port}`;
  return server;
}

await mkdir(folder, { recursive: true });
const stage = await new FakeStage().start();
const stageRoom = stage.room();
stage.grants.set(KEY, { room: stageRoom.name, role: 'listener', person: 'gast', name: 'Gast' });
const node = await new FakeNode().start();
node.stage = stage.origin;
const publicSide = await statuses();
const browser = await launch([
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
]);
await Media.begin(browser, stage);
const wanted = process.env.STATES?.split(',') ?? Object.keys(STATES);
for (const [width, colorScheme, locale] of [
  [360, 'light', 'en-GB'],
  [360, 'dark', 'fr-FR'],
  [1280, 'light', 'fr-FR'],
  [1280, 'dark', 'en-GB'],
]) {
  for (const name of wanted) {
    const state = STATES[name];
    stage.rooms.clear();
    stage.signed.clear();
    stage.guard = undefined;
    stage.rooms.set(stageRoom.name, stageRoom);
    if (name.startsWith('console')) stage.rooms.clear();
    const context = { viewport: { width, height: 800 }, colorScheme, locale, reducedMotion: 'reduce' };
    const visitor = await (state.isListener ? listener : speaker)(state, { context });
    const { page } = visitor;
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    if (!state.isSeen) await page.setViewportSize({ width, height: Math.max(height, 500) });
    await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`) });
    await visitor.context.close();
  }
}
await browser.close();
for (const one of [stage, node]) await one.stop();
publicSide.close();
process.stdout.write(`${folder}\n`);
