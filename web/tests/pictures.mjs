// Pictures of every state, at phone and desk width, light and dark, for people to look at: `npm run pictures
// [folder]`.

import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeNode } from './fake-node.mjs';
import { Visit, launch } from './visit.mjs';
import { Wire } from './wire.mjs';

const folder = process.argv[2] ?? join(tmpdir(), 'tribune-pictures');
const HOUR_MS = 3_600_000;
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const notices = [
  {
    at: ago(600_000),
    text: 'We are ten minutes late because of us, not of you. We begin at a quarter past.',
  },
];
const audience = {
  listening: 118_402,
  peak: 131_077,
  started_at: ago(1.2 * HOUR_MS),
  starts_at: ago(1.2 * HOUR_MS),
};

const crowd = {
  seats: { cap: 120_000, taken: 120_000 },
  tickets: 1_204_411,
  now_serving: 33_015,
  rate: { eta_hit_rate: 0.84 },
};
const lots = (hours) => ({ draw: { at: ago(hours * HOUR_MS), count: 800_000 } });
const inLine = { rank: 38_120, ahead: 4_212, tickets_ahead: 5_105, eta_s: [380, 640] };
const farBack = { rank: 838_120, ahead: 104_212, tickets_ahead: 125_105, eta_s: [5_400, 12_600] };

/** Each state: how the room stands, and what the visitor does. */
const STATES = {
  scheduled: { given: { starts_at: ago(-1.2 * HOUR_MS), opens_at: ago(-HOUR_MS), zone: 'America/New_York' } },
  late: { given: { starts_at: ago(300_000), notices } },
  unset: { given: {} },
  boarding: { given: { starts_at: ago(-300_000), opens_at: ago(60_000) }, steps: ['board'] },
  live: { given: audience, steps: ['live'] },
  playing: { given: { ...audience, notices }, steps: ['live'], visit: play },
  stalled: { given: audience, steps: ['live'], visit: stall },
  paused: { given: audience, steps: ['live'], visit: pause },
  
  unreachable: { given: { starts_at: ago(-26 * HOUR_MS) }, visit: unreachable },
  crowded: { given: { ...audience, ...crowd }, steps: ['live'] },
  draw: { given: { starts_at: ago(-1.2 * HOUR_MS), ...crowd, ...lots(-1.18) }, place: { drawn: false }, visit: save },
  line: { given: { ...audience, ...crowd, ...lots(1.2), notices }, steps: ['live'], place: inLine, visit: wait },
  far: { given: { ...audience, ...crowd }, steps: ['live'], place: farBack, visit: wait },
  turn: { given: { ...audience, ...crowd }, steps: ['live'], place: inLine, visit: turn },
  elsewhere: { given: { ...audience, ...crowd }, steps: ['live'], visit: elsewhere },
  attacked: { given: { ...audience, verdict: { kind: 'both', self_inflicted: true } }, steps: ['live'], visit: told },
  reconnecting: { given: { ...audience, ...crowd, tickets: 0 }, steps: ['live'], place: inLine, visit: reconnect },
  ended: {
    given: { ...audience, replays: 2_204, program: { head: 'ab', parts: 13_501 } },
    steps: ['live', 'end', 'report'],
    visit: replay,
  },
  gone: { given: audience, steps: ['live', 'end', 'forget'] },
  missing: { path: 'no-such-room' },
};

async function play({ page }) {
  await page.click('#play');
  await page.waitForSelector('.behind');
}

async function stall(visitor, wire) {
  await play(visitor);
  wire.cut();
  await visitor.reads(/paused|interrompu/);
}

async function pause(visitor) {
  await play(visitor);
  await visitor.page.click('#play');
}

async function save({ page }) {
  await page.click('#save');
  await page.waitForSelector('#auto');
}

async function wait({ page }) {
  await page.click('#play');
  await page.waitForSelector('progress');
  await page.click('#fair');
}

async function turn(visitor, wire, room) {
  await wait(visitor);
  await visitor.page.click('#auto');
  room.line(undefined);
  await visitor.page.evaluate(() => setTimeout(() => window.dispatchEvent(new Event('online')), 2100));
  await visitor.page.waitForSelector('text=/Listen now|Écouter maintenant/');
}

async function elsewhere({ page }) {
  await page.route('**/live.mp4*', (route) => route.fulfill({ status: 409, body: '{}' }));
  await page.click('#play');
  await page.waitForSelector('text=/Listen here instead|Écouter ici/');
}

async function reconnect(visitor, wire, room) {
  await wait(visitor);
  await visitor.page.waitForFunction((at) => caches.match(at).then(Boolean), `/${room.name}`);
  wire.cut();
  await visitor.page.reload();
  await visitor.page.waitForSelector('progress');
}

async function unreachable({ page }, wire) {
  wire.cut();
  for (let lost = 0; lost < 2; lost++) {
    const failed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/status'));
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await failed;
  }
  await page.waitForSelector('.note');
}

async function told({ page }) {
  await page.waitForSelector('text=/attacked|attaqués/');
}

async function replay({ page }) {
  await page.waitForFunction(() => document.getElementById('replay').duration > 0);
}

async function made(node, { given, path, place, steps = [] }) {
  if (path) return { name: path };
  const room = await node.room(given);
  room.line(place);
  for (const step of steps) {
    if (step === 'forget') room.status.replay = null;
    else room[step]();
    Object.assign(room.status, { started_at: given.started_at ?? room.status.started_at });
  }
  return room;
}

await mkdir(folder, { recursive: true });
const node = await new FakeNode().start();
const wire = await new Wire(node.origin).start();
const browser = await launch();
const wanted = process.env.STATES?.split(',') ?? Object.keys(STATES);
for (const [width, colorScheme, locale] of [
  [360, 'light', 'en-GB'],
  [360, 'dark', 'fr-FR'],
  [1280, 'light', 'fr-FR'],
  [1280, 'dark', 'en-GB'],
]) {
  for (const name of wanted) {
    const state = STATES[name];
    const context = { viewport: { width, height: 760 }, colorScheme, locale, reducedMotion: 'reduce' };
    const room = await made(node, state);
    const visitor = await Visit.to(browser, `${wire.origin}/${room.name}`, { context });
    await visitor.page.waitForFunction(() => document.title);
    await state.visit?.(visitor, wire, room);
    await visitor.page.screenshot({
      path: join(folder, `${name}-${width}-${colorScheme}.png`),
      fullPage: true,
    });
    wire.mend();
    await visitor.leave();
  }
}
await browser.close();
await wire.stop();
await node.stop();
process.stdout.write(`${folder}\n`);
