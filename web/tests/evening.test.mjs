// A whole evening in real browsers on a real node: two on the stage with sounds of their own, a listener who is
// given the floor, a mute, a restart in the middle, the end, and a recording that verifies.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { BINARY, RealNode } from './real-node.mjs';
import { RATE_HZ, second, share, voice } from './tones.mjs';
import { PATIENCE_MS, Visit, launch } from './visit.mjs';

/** Each person's pitch. */
const HZ = { anna: 440, bert: 1_320, cleo: 2_500 };
/** Told to everybody concerned, in ms. */
const TOLD_MS = 200;
/** Mutes that are tried; the one in the middle counts: some may meet a stall of the machine, not half of them. */
const MUTES = 5;
/** Everybody is back after a restart, in ms. */
const BACK_MS = 5_000;

const browsers = {};
let node, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tribune-voices-'));
  node = await new RealNode().start();
  for (const [name, hz] of Object.entries(HZ)) {
    const file = join(folder, `${name}.wav`);
    await writeFile(file, voice(hz));
    browsers[name] = await launch([
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${file}`,
      '--autoplay-policy=no-user-gesture-required',
    ]);
  }
});

after(async () => {
  for (const browser of Object.values(browsers)) await browser.close();
  await node?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Keeps hold of what the page plays, so that a test can listen in. */
function tap() {
  const { Audio } = window;
  window.Audio = class extends Audio {
    constructor(...given) {
      super(...given);
      window.heard = this;
    }
  };
}

async function onStage(name, room, key) {
  const visit = await Visit.to(browsers[name], `${node.stage}/${room.name}/stage#key=${key}`, { script: tap });
  const { page } = visit;
  await page.fill('[name=name]', name[0].toUpperCase() + name.slice(1));
  await page.check('[name=accept]');
  await page.waitForFunction(() => !document.querySelector('.join button').disabled);
  await page.click('.join button');
  await visit.reads(/The stage hears you|Everybody hears you/);
  return visit;
}

/** One second of what a page plays, as samples. */
async function hearing({ page }) {
  const samples = await page.evaluate(async (wanted) => {
    const context = (window.listening ??= new AudioContext({ sampleRate: 48_000 }));
    const from = context.createMediaStreamSource(window.heard.srcObject);
    const taker = context.createScriptProcessor(4096, 1, 1);
    const taken = [];
    await new Promise((done) => {
      taker.onaudioprocess = ({ inputBuffer }) => {
        taken.push(...inputBuffer.getChannelData(0));
        if (taken.length >= wanted) done();
      };
      from.connect(taker).connect(context.destination);
    });
    from.disconnect();
    taker.disconnect();
    return taken;
  }, RATE_HZ);
  return Float32Array.from(samples);
}

/** Waits until a sound has these pitches, and hardly any of those. */
async function sounds(take, { of, not = [] }, who) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const sound = await take();
    const shares = Object.fromEntries([...of, ...not].map((name) => [name, share(sound, HZ[name])]));
    const sum = of.reduce((all, name) => all + shares[name], 0);
    const each = of.every((name) => shares[name] > 0.6 / (of.length + 1));
    if (sum > 0.6 && each && not.every((name) => shares[name] < 0.02)) return;
    assert.ok(Date.now() < until, `${who} hears ${JSON.stringify(shares)}`);
  }
}

test('an evening', async (t) => {
  const room = await node.room();
  let anna, bert, cleo;

  await t.test('two hear each other and not themselves, before it is live', async () => {
    anna = await onStage('anna', room, room.keys.host);
    bert = await onStage('bert', room, room.keys.speaker);
    await sounds(() => hearing(anna), { of: ['bert'], not: ['anna'] }, 'Anna');
    await sounds(() => hearing(bert), { of: ['anna'], not: ['bert'] }, 'Bert');
  });

  await t.test('live, the audience hears both', async () => {
    await anna.page.click('text=Go live');
    await bert.reads(/Everybody hears you/);
    await sounds(() => second(node, room), { of: ['anna', 'bert'] }, 'the audience');
  });

  await t.test('a listener asks for the floor, speaks, and is a listener again', async () => {
    cleo = await Visit.to(browsers.cleo, `${node.origin}/${room.name}`, { origins: [node.stage] });
    await cleo.page.click('#ask');
    await cleo.page.fill('#fname', 'Cleo');
    await cleo.page.click('#request');
    await cleo.reads(/You have asked for the floor/);
    await anna.reads(/Cleo/);
    await anna.page.click('text=Give the floor');
    await cleo.reads(/The floor is yours/);
    await cleo.page.click('#speak');
    await cleo.reads(/Everybody hears you/);
    await anna.page.waitForFunction(() => /Cleo[^]*(speaking|can be heard)/.test(document.body.innerText));
    await cleo.page.click('#hush');
    await anna.reads(/Cleo\s+muted/);
    await cleo.page.click('#hush');
    await anna.page.click('text=Manage Cleo');
    await anna.page.click('li:has-text("Cleo") >> button:text-is("Mute")');
    await cleo.reads(/The host has muted you/);
    await cleo.page.click('#hush');
    await cleo.reads(/Everybody hears you/);
    await sounds(() => hearing(bert), { of: ['anna', 'cleo'], not: ['bert'] }, 'Bert');
    await anna.page.click('li:has-text("Cleo") >> text=Take the floor');
    await cleo.reads(/you are listening again/);
    await sounds(() => hearing(bert), { of: ['anna'], not: ['bert', 'cleo'] }, 'Bert');
  });

  await t.test('a mute is known and heard at once', async () => {
    const told = [];
    await anna.page.click('text=Manage Bert');
    for (let mutes = 0; mutes < MUTES; mutes++) {
      const muted = bert.page.waitForFunction(() => /has muted you/.test(document.body.innerText) && Date.now());
      const from = await anna.page.evaluate(() => {
        const [button] = [...document.querySelectorAll('.rule button')].filter((one) => one.innerText === 'Mute' && one.offsetParent);
        const began = Date.now();
        button.click();
        return began;
      });
      told.push((await (await muted).jsonValue()) - from);
      if (mutes < MUTES - 1) {
        await anna.page.click('text=Lift the mute');
        await bert.reads(/Everybody hears you/);
        await anna.page.waitForFunction(() => [...document.querySelectorAll('.rule button')].some((one) => one.innerText === 'Mute' && one.offsetParent));
      }
    }
    t.diagnostic(`muted, and told so, after ${told.join(', ')} ms`);
    const middle = [...told].sort((a, b) => a - b)[Math.floor(MUTES / 2)];
    assert.ok(middle <= TOLD_MS, `${told} ms`);
    await anna.page.click('text=Lift the mute');
    await bert.reads(/Everybody hears you/);
  });

  await t.test('a closed tab comes back as the same person', async () => {
    const before = await people(room);
    await bert.page.close({ runBeforeUnload: false });
    bert.page = await bert.context.newPage();
    await bert.page.goto(`${node.stage}/${room.name}/stage`);
    await bert.reads(/Everybody hears you/);
    assert.deepEqual(await people(room), before);
  });

  await t.test('a second window has the stage when it asks for it; the first says so and leaves it there', async () => {
    const before = await people(room);
    const second = await bert.window(`${node.stage}/${room.name}/stage`);
    await second.reads(/You are on the stage already, in another window/);
    await sounds(() => hearing(bert), { of: ['anna'], not: ['bert'] }, 'Bert');
    await second.page.click('.join button:not([disabled])');
    await second.reads(/Everybody hears you/);
    await bert.reads(/You are on the stage in another window/);
    await sounds(() => hearing(second), { of: ['anna'], not: ['bert'] }, 'Bert');
    assert.deepEqual(await people(room), before);
    await bert.page.click('text=Continue here');
    await bert.reads(/Everybody hears you/);
    await second.reads(/You are on the stage in another window/);
    assert.deepEqual(await people(room), before);
    await second.page.close();
  });

  await t.test('the node is killed and starts again: everybody is back by themselves', async () => {
    const before = (await people(room)).map(({ id }) => id);
    assert.equal(before.length, 2, 'Anna and Bert');
    await node.restart();
    const from = Date.now();
    const back = async () => (await view(room)).people.filter((one) => one.here).map(({ id }) => id);
    for (let here = []; !before.every((id) => here.includes(id)); here = await back()) {
      assert.ok(Date.now() - from < BACK_MS, JSON.stringify((await view(room)).people));
    }
    t.diagnostic(`everybody is back ${Date.now() - from} ms after the node is`);
    await sounds(() => hearing(anna), { of: ['bert'], not: ['anna'] }, 'Anna');
    await sounds(() => second(node, room), { of: ['anna', 'bert'] }, 'the audience');
  });

  await t.test('the end: the recording is there, and verifies', async () => {
    await anna.page.click('text=End the conversation');
    await anna.page.click('text=End it');
    await bert.reads(/The conversation is over/);
    await anna.reads(/The seal/);
    await cleo.reads(/replay|recording/i);
    const replay = `${node.origin}/${room.name}/replay.opus`;
    const { stdout } = await promisify(execFile)(BINARY, ['verify', replay, '--json']);
    const { complete, unedited, seconds } = JSON.parse(stdout);
    assert.ok(complete && unedited && seconds > 5, stdout);
  });

  for (const visit of [anna, bert]) await visit.leave();
});

const view = (room) => node.get(`/${room.name}/stage`);
const people = async (room) => (await view(room)).people.map(({ id, name, role }) => ({ id, name, role }));
