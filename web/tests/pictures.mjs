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
  full: { given: audience, steps: ['live', 'fill'], visit: full },
  unreachable: { given: { starts_at: ago(-26 * HOUR_MS) }, visit: unreachable },
  ended: {
    given: { ...audience, replays: 2_204, program: { head: 'ab', parts: 13_501 } },
    steps: ['live', 'end'],
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

async function full({ page }) {
  await page.click('#play');
  await page.waitForSelector('.panel .note');
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

async function replay({ page }) {
  await page.waitForFunction(() => document.getElementById('replay').duration > 0);
}

async function made(node, { given, path, steps = [] }) {
  if (path) return path;
  const room = await node.room(given);
  for (const step of steps) {
    if (step === 'fill') room.cap(0);
    else if (step === 'forget') room.status.replay = null;
    else room[step]();
    Object.assign(room.status, { started_at: given.started_at ?? room.status.started_at });
  }
  return room.name;
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
    const visitor = await Visit.to(browser, `${wire.origin}/${await made(node, state)}`, { context });
    await visitor.page.waitForFunction(() => document.title);
    await state.visit?.(visitor, wire);
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
