// hls.js in low-latency mode plays the node's live playlists in a real browser, from a page of another
// origin, as any site would that shows the program.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { RealNode } from './real-node.mjs';
import { launch } from './visit.mjs';

/** Farthest behind the live edge after a few seconds of play: the aim is 2 s, and hls.js keeps a second more
 * for a machine on which it once stalled. */
const LATENCY_S_MAX = 3;
/** Sound that must have come out, by the element's clock. */
const HEARD_S = 8;
/** The same of the delayed tier: more than two of its segments. */
const LATE_S = 14;
/** Parts of the program after which it can be heard late, by the size of small ones. */
const HALF_A_MINUTE_PARTS = 150;
const hlsJs = readFileSync(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'));
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>hls.js</title>' +
  '<audio id="a"></audio><script src="/hls.js"></script>';

let node, site, origin, browser;

before(async () => {
  node = await new RealNode().start();
  site = createServer((request, answer) => {
    const isScript = request.url === '/hls.js';
    answer.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    answer.end(isScript ? hlsJs : PAGE);
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${site.address().port}`;
  browser = await launch(['--autoplay-policy=no-user-gesture-required']);
});

after(async () => {
  await browser?.close();
  site?.close();
  await node?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** Starts hls.js on the room's multivariant playlist and keeps to one codec's variants. */
function begin([url, codec]) {
  const { Hls } = window;
  const audio = document.getElementById('a');
  const hls = new Hls({ lowLatencyMode: true, enableWorker: true });
  Object.assign(window, { hls, fatal: [], minor: [], latencies: [], codec: '' });
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, reason }) =>
    (fatal ? window.fatal : window.minor).push(`${type} ${details} ${reason ?? ''}`),
  );
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    const level = hls.levels.findIndex(({ audioCodec }) => audioCodec?.toLowerCase().startsWith(codec));
    hls.startLevel = hls.currentLevel = level;
    audio.play();
  });
  hls.on(Hls.Events.BUFFER_CODECS, (_, { audio: track }) => (window.codec = track?.codec));
  hls.loadSource(url);
  hls.attachMedia(audio);
}

/** The level of what comes out, as a share of full scale, once it is not silence. */
function level() {
  if (!window.analyser) {
    const context = new AudioContext();
    window.analyser = context.createAnalyser();
    context.createMediaStreamSource(document.getElementById('a').captureStream()).connect(window.analyser);
  }
  const samples = new Float32Array(window.analyser.fftSize);
  window.analyser.getFloatTimeDomainData(samples);
  const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  return level > 0.02 && level;
}

const heard = (page, seconds) =>
  page.waitForFunction((to) => document.getElementById('a').currentTime >= to, seconds);

const clock = (page) => page.evaluate(() => document.getElementById('a').currentTime);

async function listener(room, codec, playlist = 'live.m3u8') {
  const page = await (await browser.newContext()).newPage();
  const urls = [];
  page.on('request', (request) => urls.push(new URL(request.url())));
  await page.goto(origin);
  await page.evaluate(begin, [`${node.origin}/${room.name}/${playlist}`, codec]);
  const plays = () => {
    const { currentTime, readyState } = document.getElementById('a');
    return currentTime > 0 && readyState > 2;
  };
  await page.waitForFunction(plays).catch(async (error) => {
    const said = await page.evaluate(() => [...window.fatal, ...window.minor]);
    throw new Error(`no sound: ${said.join('; ')}`, { cause: error });
  });
  return { page, urls };
}

async function liveRoom() {
  const room = await node.room();
  await room.live();
  return room;
}

for (const [codec, name] of [
  ['mp4a', 'aac64'],
  ['opus', 'opus64'],
]) {
  test(`hls.js plays ${name} at low latency`, async (t) => {
    const { page, urls } = await listener(await liveRoom(), codec);
    const from = await clock(page);
    await heard(page, from + HEARD_S);
    assert.ok(await (await page.waitForFunction(level)).jsonValue());
    const { fatal, minor, latency, target, seen } = await page.evaluate(() => ({
      fatal: window.fatal,
      minor: window.minor,
      latency: window.hls.latency,
      target: window.hls.targetLatency,
      seen: window.codec,
    }));
    const playlists = urls.filter(({ pathname }) => /\/hls\/\w+\.m3u8$/.test(pathname));
    const blocking = playlists.filter(({ searchParams }) => searchParams.has('_HLS_msn'));
    const delta = playlists.filter(({ searchParams }) => searchParams.has('_HLS_skip'));
    const parts = urls.filter(({ pathname }) => pathname.endsWith('.part.mp4'));
    t.diagnostic(
      `${name} as ${seen}: ${latency.toFixed(2)} s behind live (aims at ${target.toFixed(2)} s); ` +
        `${blocking.length} blocking reloads, ${delta.length} delta updates, ${parts.length} parts; ` +
        (minor.join(', ') || 'no error'),
    );
    assert.deepEqual(fatal, []);
    assert.deepEqual(minor.filter((error) => /Parsing|fragLoadError|levelLoadError|appen/i.test(error)), []);
    assert.ok(latency <= LATENCY_S_MAX, `${latency} s behind live`);
    assert.ok(blocking.length >= HEARD_S / 0.32 / 2, `${blocking.length} blocking reloads`);
    assert.ok(parts.length >= HEARD_S / 0.32 / 2, `${parts.length} parts`);
  });
}

test('hls.js takes delta updates, and plays on while the source goes and comes', async (t) => {
  const room = await liveRoom();
  const { page, urls } = await listener(room, 'mp4a');
  await room.hush();
  await heard(page, (await clock(page)) + 3);
  room.speak();
  await heard(page, (await clock(page)) + 3);
  const delta = () => urls.filter(({ searchParams }) => searchParams.has('_HLS_skip')).length;
  await page.waitForFunction(level);
  const [fatal, latency] = await page.evaluate(() => [window.fatal, window.hls.latency]);
  t.diagnostic(`${latency.toFixed(2)} s behind live; ${delta()} delta updates`);
  assert.deepEqual(fatal, []);
  assert.ok(latency <= LATENCY_S_MAX, `${latency} s behind live`);
  assert.ok(delta() > 0);
});

test('hls.js plays the delayed tier half a minute behind', async (t) => {
  const room = await liveRoom();
  await room.hear(HALF_A_MINUTE_PARTS);
  const { page, urls } = await listener(room, 'mp4a', 'late.m3u8');
  await heard(page, (await clock(page)) + LATE_S);
  assert.ok(await (await page.waitForFunction(level)).jsonValue());
  const [fatal, latency] = await page.evaluate(() => [window.fatal, window.hls.latency]);
  const segments = urls.filter(({ pathname }) => /\/late\/aac64\/\w+\/\d+\.mp4$/.test(pathname));
  t.diagnostic(`${latency.toFixed(2)} s behind the playlist's end; ${segments.length} segments`);
  assert.deepEqual(fatal, []);
  assert.equal(new Set(segments.map(({ pathname }) => pathname)).size, segments.length, 'each once');
});
