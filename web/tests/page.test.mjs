// The listener's page in a real browser, on a real node, through a wire that can be cut.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { begin, browser, node, wire } from './scene.mjs';
import { Visit } from './visit.mjs';

/** The first answer, in bytes of brotli. */
const BUDGET_BYTES = 6144;
/** From the click to the first sound, in ms. */
const FIRST_SOUND_MS = 3000;
/** The announced start of every room, from now: 1 h 12 min and a half. */
const STARTS_IN_MS = 4_350_000;
const STATES = ['scheduled', 'live', 'ended'];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** One room in each state, for the tests that leave a room as it is. */
const rooms = {};

before(async () => {
  await begin();
  for (const state of STATES) rooms[state] = await roomIn(state);
});

async function roomIn(state, given = {}) {
  const room = await node.room({ starts_at: new Date(Date.now() + STARTS_IN_MS).toISOString(), ...given });
  if (state !== 'scheduled') await room.live();
  if (state === 'ended') {
    await room.hear(4);
    await room.end();
  }
  return room;
}

const visit = (room, options) => Visit.to(browser, `${wire.origin}/${room.name}`, options);

/** A visitor who has clicked and hears. */
async function listener(room, options) {
  const visitor = await visit(room, options);
  await visitor.page.click('#play');
  await visitor.hears(0.3);
  return visitor;
}

function firstAnswer(path, language) {
  return new Promise((done, failed) => {
    get(
      wire.origin + path,
      { headers: { 'accept-encoding': 'br', 'accept-language': language } },
      (answer) => {
        const chunks = [];
        answer
          .on('data', (chunk) => chunks.push(chunk))
          .on('end', () => done([answer, Buffer.concat(chunks)]));
      },
    ).on('error', failed);
  });
}

test('the first answer fits the budget in every state and language', async () => {
  for (const state of STATES) {
    const room = rooms[state];
    for (const language of ['en', 'fr']) {
      const [answer, body] = await firstAnswer(`/${room.name}`, language);
      assert.equal(answer.headers['content-encoding'], 'br');
      assert.ok(body.length <= BUDGET_BYTES, `${state} ${language}: ${body.length} bytes`);
    }
  }
});

test('one click, and within three seconds there is sound, close behind live', async () => {
  const visitor = await visit(rooms.live);
  await visitor.reads(/Listen/);
  const clicked = Date.now();
  await visitor.page.click('#play');
  await visitor.page.waitForFunction(
    () => document.getElementById('a').currentTime > 0 && !document.getElementById('a').paused,
  );
  await visitor.hears(0.1);
  assert.ok(Date.now() - clicked < FIRST_SOUND_MS, `first sound after ${Date.now() - clicked} ms`);
  assert.ok((await visitor.level()) > 0.02);
  await visitor.hears(3);
  await visitor.reads(/[0-2]\.\d s behind live/);
  assert.match(await visitor.page.title(), /^Live · /);
  await visitor.leave();
});

test('the keyboard is enough, and the focus stays where it was', async () => {
  const visitor = await visit(rooms.live);
  await visitor.page.keyboard.press('Tab');
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'play');
  await visitor.page.keyboard.press('Enter');
  await visitor.hears(0.3);
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'play');
  await visitor.page.keyboard.press('Enter');
  await visitor.reads(/Paused/);
  assert.ok((await visitor.audio()).paused);
  await visitor.page.keyboard.press('Enter');
  await visitor.reads(/behind live/);
  await visitor.leave();
});

test('a cut connection is said in words, and the sound goes on by itself where it was', async () => {
  const visitor = await listener(rooms.live);
  await visitor.reads(/behind live/);
  const before = await visitor.audio();
  wire.cut();
  await visitor.reads(/Your connection paused; continuing from where you were\. \d+ s so far/);
  assert.match(await visitor.page.title(), /^Paused for a moment/);
  wire.mend();
  await visitor.reads(/behind live/);
  await visitor.hears(1);
  assert.ok((await visitor.audio()).currentTime > before.currentTime);
  assert.doesNotMatch(await visitor.page.innerText('main'), /missing for you/);
  await visitor.leave();
});

test('a connection that stands but brings nothing is given up for a new one', async () => {
  const visitor = await listener(rooms.live);
  await visitor.reads(/behind live/);
  wire.hold();
  await visitor.reads(/Your connection paused/);
  wire.mend();
  await visitor.reads(/behind live/);
  await visitor.hears(1);
  await visitor.leave();
});

test('who fell behind can catch up', async () => {
  const visitor = await listener(rooms.live);
  await visitor.hears(3);
  const { currentTime, end } = await visitor.audio();
  await visitor.page.evaluate(
    (back) => (document.getElementById('a').currentTime -= back),
    Math.min(4, 5 - (end - currentTime)),
  );
  await visitor.page.click('#catch');
  await visitor.reads(/[0-2]\.\d s behind live/);
  assert.equal(await visitor.page.locator('#catch').count(), 0);
  await visitor.leave();
});

test('less data is asked for without a gap', async () => {
  const visitor = await listener(rooms.live);
  const asked = () => visitor.urls.filter((url) => /live\.mp4/.test(url)).map((url) => /rendition=\w+/.exec(url)?.[0]);
  assert.deepEqual(asked(), [undefined], 'who chose none has what there is room for');
  await visitor.page.selectOption('#rate', 'opus16');
  await visitor.hears(3);
  assert.equal(asked().at(-1), 'rendition=opus16');
  assert.doesNotMatch(await visitor.page.innerText('main'), /connection paused|missing for you/);
  await visitor.leave();
});

test('the start and the end arrive without a reload, and the replay plays', async () => {
  const room = await roomIn('scheduled');
  const visitor = await visit(room);
  await visitor.reads(/starts in\s+1 h 1\d min/);
  await visitor.page.evaluate(() => (window.same = true));
  await room.live();
  await visitor.page.evaluate(() => window.dispatchEvent(new Event('online')));
  await visitor.page.click('#play');
  await visitor.hears(1);
  await room.end();
  await visitor.reads(/Hear it in full/);
  await visitor.page.waitForFunction(() => document.getElementById('replay').duration > 0);
  await visitor.page.locator('#replay').evaluate((replay) => replay.play());
  await visitor.page.waitForFunction(() => document.getElementById('replay').currentTime > 0.2);
  await visitor.page.selectOption('#speed', '1.5');
  assert.equal(await visitor.page.locator('#replay').evaluate((replay) => replay.playbackRate), 1.5);
  assert.ok(await visitor.page.evaluate(() => window.same), 'the page was not loaded again');
  assert.match(await visitor.page.title(), /^Ended · /);
  const link = visitor.page.locator('a[href$="/report"]');
  assert.equal(await link.count(), 0, 'nobody may read the report yet');
  await room.report();
  await link.waitFor();
  assert.ok((await fetch(await link.evaluate((one) => one.href))).ok);
  await visitor.leave();
});

test('without Media Source the element plays by itself', async () => {
  const script = () => {
    delete window.MediaSource;
    delete window.ManagedMediaSource;
  };
  const visitor = await listener(rooms.live, { script });
  await visitor.hears(1);
  assert.ok((await visitor.level()) > 0.02);
  assert.ok(!visitor.urls.some((url) => url.includes('live.mp4')));
  await visitor.leave();
});

test('a node that cannot be reached is said in words, and forgotten when it can', async () => {
  const visitor = await visit(rooms.scheduled);
  await visitor.reads(/starts in/);
  wire.cut();
  for (let lost = 0; lost < 2; lost++) {
    const failed = visitor.page.waitForEvent('requestfailed', (request) => request.url().endsWith('/status'));
    await visitor.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await failed;
  }
  await visitor.reads(/We cannot be reached; trying again in \d+ s/);
  wire.mend();
  await visitor.page.waitForFunction(() => !/cannot be reached/.test(document.body.innerText));
  await visitor.leave();
});

test('the language changes while the sound goes on', async () => {
  const visitor = await listener(rooms.live);
  await visitor.page.evaluate(() => (window.same = document.getElementById('a')));
  await visitor.page.click('text=Français');
  await visitor.reads(/après le direct/);
  await visitor.hears(0.5);
  assert.ok(await visitor.page.evaluate(() => window.same === document.getElementById('a')));
  assert.equal(await visitor.page.getAttribute('html', 'lang'), 'fr');
  await visitor.leave();
});

test('the keys of a phone, a headset or a keyboard steer the sound', async () => {
  const script = () => {
    const { mediaSession } = navigator;
    const set = mediaSession.setActionHandler.bind(mediaSession);
    window.keys = {};
    mediaSession.setActionHandler = (key, act) => set(key, (window.keys[key] = act));
  };
  const visitor = await listener(rooms.live, { script });
  const session = () =>
    visitor.page.evaluate(() => {
      const { metadata, playbackState } = navigator.mediaSession;
      return [metadata.title, playbackState];
    });
  const press = (key) => visitor.page.evaluate((name) => window.keys[name](), key);
  assert.deepEqual(await session(), ['An evening conversation', 'playing']);
  for (const key of ['pause', 'stop']) {
    await press(key);
    await visitor.reads(/Paused/);
    assert.deepEqual(await session(), ['An evening conversation', 'paused']);
    await press('play');
    await visitor.reads(/behind live/);
  }
  await visitor.leave();
});

test('nothing moves for those who asked for stillness', async () => {
  for (const [reducedMotion, moving] of [
    ['no-preference', 1],
    ['reduce', 0],
  ]) {
    const visitor = await visit(rooms.live, { context: { reducedMotion } });
    assert.equal(await visitor.page.evaluate(() => document.getAnimations().length), moving, reducedMotion);
    await visitor.leave();
  }
});

test('everything on the page can be reached by keyboard', async () => {
  const visitor = await listener(rooms.live);
  await visitor.reads(/behind live/);
  const reached = [];
  for (let tabs = 0; tabs < 6; tabs++) {
    await visitor.page.keyboard.press('Tab');
    reached.push(
      await visitor.page.evaluate(() => document.activeElement.id || document.activeElement.dataset.do),
    );
  }
  for (const control of ['vol', 'rate', 'share', 'lang'])
    assert.ok(reached.includes(control), `${control}: ${reached}`);
  await visitor.page.focus('#vol');
  await visitor.page.keyboard.press('ArrowLeft');
  assert.equal(await visitor.page.evaluate(() => document.getElementById('a').volume), 0.95);
  await visitor.leave();
});

test('live.mp4 goes on from a moment the window has, and begins at the edge otherwise', async () => {
  const room = await roomIn('live');
  await room.hear(4);
  /** Where the first fragment lies in the program, in samples: its `tfdt`. */
  const begins = async (query) => {
    const answer = await fetch(`${node.origin}/${room.name}/live.mp4${query}`);
    assert.equal(answer.status, 200, query);
    const reader = answer.body.getReader();
    for (let bytes = Buffer.alloc(0); ;) {
      bytes = Buffer.concat([bytes, (await reader.read()).value]);
      const at = bytes.indexOf('tfdt');
      if (at < 0 || bytes.length < at + 16) continue;
      await reader.cancel();
      return Number(bytes.readBigUInt64BE(at + 8));
    }
  };
  const edge = await begins('');
  const from = (later_s) => `?from_s=${(edge / 48_000 + later_s).toFixed(3)}`;
  assert.equal(await begins(from(0.01)), edge);
  assert.equal(await begins(from(0.314)), edge + 15_360);
  assert.ok((await begins(from(1000))) >= edge);
  for (const wrong of ['soon', '-1', '1e9', '']) {
    const answer = await fetch(`${node.origin}/${room.name}/live.mp4?from_s=${wrong}`);
    assert.equal(answer.status, 400, wrong);
  }
  await room.end();
});

test('an ended or full room is answered in words, also to HEAD', async () => {
  const live = (room, file, method) => fetch(`${node.origin}/${room.name}/${file}`, { method });
  const ended = await live(rooms.ended, 'live.mp4', 'GET');
  const { code, replay } = await ended.json();
  assert.deepEqual([ended.status, code], [410, 'room_ended']);
  assert.deepEqual(replay, (await rooms.ended.status()).replay);
  assert.ok((await fetch(replay.opus, { method: 'HEAD' })).ok);
  const full = await roomIn('live');
  await full.cap(0);
  for (const file of ['live.opus', 'live.aac', 'live.mp4']) {
    const answer = await live(full, file, 'HEAD');
    assert.equal(answer.status, 503, file);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  }
  assert.equal((await full.status()).turned_away, 0, 'asking with HEAD is not wanting in');
  await full.end();
});

test('the browser chooses the language', async () => {
  const visitor = await visit(rooms.scheduled, { context: { locale: 'fr-FR' } });
  await visitor.reads(/commence dans\s+1 h \d+ min/);
  await visitor.leave();
});

test('without JavaScript the page still says what is, and offers the sound', async () => {
  for (const [state, words, link] of [
    ['scheduled', /starts in/, 'a[href$="/event.ics"]'],
    ['live', /For another player/, 'audio source[src$="/live.opus"]'],
    ['ended', /Sealed: unedited/, 'audio source[src$="/replay.opus"]'],
  ]) {
    const visitor = await visit(rooms[state], { context: { javaScriptEnabled: false } });
    assert.match(await visitor.page.innerText('body'), words);
    assert.equal(await visitor.page.locator(link).count(), 1, state);
    assert.deepEqual(
      visitor.urls.filter((url) => url.endsWith('.js')),
      [],
    );
    await visitor.leave();
  }
});

test('axe finds nothing in any state, light or dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const state of STATES) {
      const visitor = await visit(rooms[state], { context: { colorScheme } });
      await visitor.reads(/An evening conversation/);
      if (state === 'ended') await visitor.reads(/Speed/);
      if (state === 'live') {
        await visitor.page.click('#play');
        await visitor.reads(/behind live/);
      }
      await visitor.page.evaluate(axe);
      const { violations } = await visitor.page.evaluate(() => window.axe.run());
      assert.deepEqual(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
        `${state} ${colorScheme}`,
      );
      await visitor.leave();
    }
  }
});

test('an unknown room is answered with a page', async () => {
  const visitor = await Visit.to(browser, `${wire.origin}/no-such-room`);
  await visitor.reads(/There is no room of this name/);
  await visitor.leave();
});
