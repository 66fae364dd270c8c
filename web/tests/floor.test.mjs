// From the audience to the stage and back on one page: the floor is asked for, granted, taken and given back,
// and whoever listens reads who is speaking.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { FakeNode } from './fake-node.mjs';
import { FakeStage, Media } from './fake-stage.mjs';
import { pullable } from './microphone.mjs';
import { Visit, launch } from './visit.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const KEY = 'a-key-that-was-granted-0123456789';

let node, stage, browser, media, stageRoom;

before(async () => {
  stage = await new FakeStage().start();
  node = await new FakeNode().start();
  node.stage = stage.origin;
  stageRoom = stage.room();
  stage.grants.set(KEY, { room: stageRoom.name, role: 'listener', person: 'gast', name: 'Gast' });
  browser = await launch([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
  ]);
  media = await Media.begin(browser, stage);
});

after(async () => {
  await browser?.close();
  await node?.stop();
  await stage?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) if (context !== media) await context.close();
  stageRoom.lines.clear();
});

async function listener(options = {}) {
  const room = await node.room();
  room.live();
  const visitor = await Visit.to(browser, `${node.origin}/${room.name}`, {
    origins: [stage.origin],
    ...options,
  });
  return { room, visitor };
}

const granted = () => ({
  state: 'granted',
  stage: { whip: `${stage.origin}/${stageRoom.name}/whip`, key: KEY },
});

async function ask(visitor, name = 'Gast') {
  await visitor.page.click('#ask');
  await visitor.page.fill('#fname', name);
  await visitor.page.click('#request');
  await visitor.reads(/You have asked for the floor|Vous avez demandé la parole/);
}

test('the part that speaks is fetched with the first wish to, and not before', async () => {
  const { visitor } = await listener();
  await visitor.page.click('#play');
  await visitor.hears(0.5);
  const asked = () => visitor.urls.filter((url) => url.includes('/assets/floor.')).length;
  assert.equal(asked(), 0);
  await visitor.page.click('#ask');
  await visitor.page.waitForSelector('#fname');
  assert.equal(asked(), 1);
  await visitor.leave();
});

test('asked, granted, heard, revoked: and the program is back where it was', async () => {
  const { room, visitor } = await listener();
  const { page } = visitor;
  await page.click('#play');
  await visitor.hears(0.5);
  await page.evaluate(() => (window.same = true));
  await ask(visitor);
  assert.deepEqual(room.asked, ['Gast']);
  await visitor.reads(/2 asked before you/);
  room.rule({ state: 'requested', ahead: 0 });
  await visitor.reads(/Nobody asked before you/);
  room.rule(granted());
  await visitor.reads(/The floor is yours[^]*recorded, and published unedited/);
  assert.equal(stageRoom.lines.size, 0, 'nothing is sent before it is agreed to');
  await page.click('#speak');
  await visitor.reads(/Everybody hears you/);
  assert.ok((await visitor.audio()).paused, 'the program makes way for the mix-minus');
  assert.equal(stageRoom.lines.size, 1);
  await page.click('#hush');
  await visitor.reads(/You are muted/);
  room.rule({ state: 'revoked' });
  await visitor.reads(/The floor has gone back to the stage[^]*you are listening again/);
  await visitor.hears(0.5);
  assert.ok(await page.evaluate(() => window.same), 'the page was not loaded again');
  await visitor.leave();
});

test('the floor is given back, and the request withdrawn', async () => {
  const { room, visitor } = await listener();
  await ask(visitor);
  await visitor.page.click('#nofloor');
  await visitor.page.waitForSelector('#ask');
  assert.equal(room.floor.state, 'none');
  await ask(visitor);
  room.rule(granted());
  await visitor.page.click('#speak');
  await visitor.reads(/Everybody hears you/);
  await visitor.page.click('text=Give the floor back');
  await visitor.page.waitForSelector('#ask');
  assert.equal(room.floor.state, 'none');
  await visitor.leave();
});

test('"not now" is said kindly, and a page that was closed finds its request again', async () => {
  const { room, visitor } = await listener();
  await ask(visitor);
  await visitor.page.reload();
  await visitor.reads(/You have asked for the floor/);
  room.rule({ state: 'declined' });
  await visitor.reads(/The host has said: not now/);
  await visitor.page.waitForSelector('#ask');
  await visitor.leave();
});

test('a request that nobody knows any more is forgotten here too', async () => {
  const { room, visitor } = await listener();
  await ask(visitor);
  room.floor = { state: 'none', ahead: 0, stage: null };
  await visitor.page.reload();
  await visitor.page.waitForSelector('#ask');
  await visitor.page.waitForFunction(() => !localStorage.getItem('tribune.floor.' + location.pathname.slice(1)));
  await visitor.leave();
});

test('a microphone that is refused leaves the listener listening, with what to do', async () => {
  const script = () => {
    const refuse = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    navigator.mediaDevices.getUserMedia = refuse;
  };
  const { room, visitor } = await listener({ script });
  await ask(visitor);
  room.rule(granted());
  await visitor.page.click('#speak');
  await visitor.reads(/may not use a microphone here/);
  await visitor.leave();
});

test('why the floor cannot be asked for is said in the listener’s language, or in the node’s words', async () => {
  const { room, visitor } = await listener({ context: { locale: 'fr-FR' } });
  const { page } = visitor;
  await page.click('#ask');
  await page.fill('#fname', 'Gast');
  room.refuses = 'requests_full';
  await page.click('#request');
  await visitor.reads(/Trop de demandes de parole à la fois/);
  room.refuses = 'never_heard_of';
  await page.click('#request');
  await visitor.reads(/The node’s own words/);
  await page.route('**/floor', (route) => route.abort());
  await page.click('#request');
  await visitor.reads(/Nous étions injoignables/);
  await visitor.leave();
});

/** On the stage, as the node sees them. */
const heard = (you = {}) => ({
  ...granted(),
  you: { muted: null, sound: 'good', echo: false, clipping: false, silent: false, ...you },
});

/** Somebody from the audience on the stage. */
async function guest(options) {
  const { room, visitor } = await listener(options);
  await ask(visitor);
  room.rule(granted());
  await visitor.page.click('#speak');
  await visitor.reads(/Everybody hears you/);
  room.rule(heard());
  return { room, visitor };
}

const isOpen = ({ page }) => page.evaluate(() => window.track.enabled);

test('what is wrong with their sound is said to who came from the audience', async () => {
  const { room, visitor } = await guest();
  for (const [you, words] of [
    [{ echo: true }, /The others hear themselves through you/],
    [{ clipping: true }, /Too loud: the sound breaks/],
    [{ silent: true }, /Nothing comes from this microphone/],
    [{ sound: 'lost' }, /Your sound does not arrive/],
    [{ sound: 'poor' }, /Your sound breaks up on the way/],
  ]) {
    room.rule(heard(you));
    await visitor.reads(words);
  }
  room.rule(heard());
  await visitor.page.waitForFunction(() => !document.querySelector('section.panel .note'));
  await visitor.leave();
});

test('their mute goes to the node; a host’s is shown, silences them, and may be lifted', async () => {
  const { room, visitor } = await guest({ script: pullable });
  const { page } = visitor;
  await page.click('#hush');
  await visitor.reads(/You are muted/);
  assert.equal(await isOpen(visitor), false);
  await page.click('#hush');
  await visitor.reads(/Everybody hears you/);
  assert.deepEqual(room.mutes, [true, false]);
  room.rule(heard({ muted: 'host' }));
  await visitor.reads(/The host has muted you/);
  assert.equal(await isOpen(visitor), false);
  await page.click('#hush');
  await visitor.reads(/Everybody hears you/);
  assert.deepEqual(room.mutes, [true, false, false]);
  assert.equal(await isOpen(visitor), true);
  await visitor.leave();
});

test('a microphone that they closed is opened by nobody else, also when the node did not hear of it', async () => {
  const { room, visitor } = await guest({ script: pullable });
  const { page } = visitor;
  await page.route('**/floor/mute', (route) => route.abort());
  const failed = page.waitForEvent('requestfailed');
  await page.click('#hush');
  await failed;
  room.rule(heard({ echo: true }));
  await visitor.reads(/You are muted/);
  await page.unroute('**/floor/mute');
  const told = page.waitForResponse('**/floor/mute');
  room.rule(heard({ clipping: true }));
  await told;
  assert.deepEqual([await isOpen(visitor), room.mutes], [false, [true]]);
  await visitor.leave();
});

test('a microphone that is pulled while they speak is said, and noticed when it is back', async () => {
  const { visitor } = await guest({ script: pullable });
  const { page } = visitor;
  await page.evaluate(() => {
    window.bare = true;
    window.pull();
  });
  await visitor.reads(/Nobody hears you[^]*The microphone is gone/);
  await page.evaluate(() => (window.bare = false));
  await page.click('#mic');
  await visitor.reads(/Everybody hears you/);
  await page.evaluate(() => window.pull());
  await visitor.reads(/Your microphone was unplugged\. You speak through “Fake/);
  await visitor.leave();
});

test('the floor in two windows: the first says that the other speaks, and does not take it back', async () => {
  const { visitor } = await guest();
  const second = await visitor.window(visitor.page.url());
  await second.page.click('#speak');
  await second.reads(/Everybody hears you/);
  await visitor.reads(/You speak in another window now/);
  assert.equal(stageRoom.lines.size, 1);
  await visitor.leave();
});

test('who is speaking is shown at the place that is played', async () => {
  const { room, visitor } = await listener();
  const people = ['Ada', 'Jean'].map((name) => ({ name, role: 'speaker' }));
  const edge = room.newest();
  room.speaking.people = people;
  room.speaking.turns = [
    { name: 'Ada', from_part: 0, to_part: edge + 100 },
    { name: 'Jean', from_part: edge + 60, to_part: null },
  ];
  await visitor.page.click('#play');
  await visitor.reads(/Ada is speaking/);
  await visitor.reads(/On stage: Ada and Jean/);
  assert.doesNotMatch(await visitor.page.innerText('main'), /Jean are speaking/);
  await visitor.leave();
});

test('axe finds nothing in any state of the floor', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const locale = colorScheme === 'dark' ? 'fr-FR' : 'en-GB';
    const { room, visitor } = await listener({ context: { colorScheme, locale }, script: pullable });
    const clean = async (state) => {
      const { violations } = await visitor.page.evaluate(() => window.axe.run());
      const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
      assert.deepEqual(found, [], `${state} ${colorScheme}`);
    };
    await visitor.page.evaluate(axe);
    await visitor.page.click('#ask');
    await visitor.page.waitForSelector('#fname');
    await clean('asking');
    await visitor.page.fill('#fname', 'Gast');
    await visitor.page.click('#request');
    await visitor.page.waitForSelector('.note');
    await clean('requested');
    room.rule(granted());
    await visitor.page.waitForSelector('#speak');
    await clean('granted');
    await visitor.page.click('#speak');
    await visitor.page.waitForSelector('#hush');
    await clean('on stage');
    room.rule(heard({ muted: 'host' }));
    await visitor.reads(/host has muted|hôte a coupé/);
    await clean('muted');
    room.rule(heard({ echo: true, clipping: true, silent: true, sound: 'poor' }));
    await visitor.page.waitForSelector('section.panel .note');
    await clean('in trouble');
    await visitor.page.evaluate(() => {
      window.bare = true;
      window.pull();
    });
    await visitor.page.waitForSelector('#mic');
    await clean('no microphone');
    room.rule({ state: 'revoked' });
    await visitor.page.waitForSelector('#ask');
    await clean('revoked');
    await visitor.leave();
  }
});
