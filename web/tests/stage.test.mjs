// The stage page in a real browser: from the link to the floor, by mouse and by keyboard, with microphones
// that are refused and unplugged, and a server that goes away.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { FakeStage, Media, person } from './fake-stage.mjs';
import { pullable } from './microphone.mjs';
import { PATIENCE_MS, Visit, launch } from './visit.mjs';

/** Back on the stage after a restart, in ms. */
const BACK_MS = 5_000;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SPEAKER_FLAGS = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

let stage, browser, media;

before(async () => {
  stage = await new FakeStage().start();
  browser = await launch(SPEAKER_FLAGS);
  media = await Media.begin(browser, stage);
});

after(async () => {
  await browser?.close();
  await stage?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) if (context !== media) await context.close();
});

const visit = (room, role, options) => Visit.to(browser, stage.link(room, role), options);

async function ready({ page }, name = 'Anna Seghers') {
  await page.fill('[name=name]', name);
  await page.check('[name=accept]');
  await page.waitForFunction(() => !document.querySelector('.join button').disabled);
}

/** Somebody on the stage, connected. */
async function speaker(room, { role = 'host', name, ...options } = {}) {
  const visitor = await visit(room, role, options);
  await ready(visitor, name);
  await visitor.page.click('.join button');
  await visitor.reads(/The stage hears you|Everybody hears you|Le plateau vous entend|Tout le monde/);
  return visitor;
}

async function speakerBy(link, name) {
  const visitor = await Visit.to(browser, link);
  await ready(visitor, name);
  await visitor.page.click('.join button');
  await visitor.reads(/The stage hears you/);
  return visitor;
}

/** Removes somebody by the host's hand. */
async function dismiss({ page }, name) {
  await page.click(`summary:has-text("Manage ${name}")`);
  await page.click(`li:has-text("${name}") >> button:text-is("Remove")`);
  await page.click('dialog >> button:text-is("Remove")');
}

const mine = (room, role = 'host') => room.people.find((one) => one.role === role);

/** Waits until something is so on the node's side. */
async function until(is, what) {
  let late;
  const never = new Promise((_, failed) => (late = setTimeout(() => failed(new Error(what)), PATIENCE_MS)));
  while (!is()) await Promise.race([stage.next(), never]);
  clearTimeout(late);
}

async function hears({ page }) {
  const track = await page.waitForFunction(() => {
    const { srcObject } = window.heard ?? {};
    return srcObject?.getAudioTracks().some((one) => one.readyState === 'live' && !one.muted);
  });
  return track.jsonValue();
}

test('the key leaves the address and the history at once, and a cookie takes its place', async () => {
  const room = stage.room();
  const visitor = await visit(room);
  await visitor.reads(/Green room/);
  const { url, entries } = await visitor.page.evaluate(() => ({
    url: location.href,
    entries: history.length,
  }));
  assert.equal(url, `${stage.origin}/${room.name}/stage`);
  assert.equal(entries, 2, 'the empty tab and this page');
  assert.equal(await visitor.page.evaluate(() => document.cookie), '', 'no script reads the cookie');
  assert.ok(!visitor.urls.some((one) => one.includes(room.keys.host)));
  await visitor.page.reload();
  await visitor.reads(/Green room/);
  await visitor.leave();
});

test('a wrong key is said in words, and a right one can be pasted', async () => {
  const room = stage.room();
  const visitor = await Visit.to(
    browser,
    `${stage.origin}/${room.name}/stage#key=wrong-key-0123456789012345`,
  );
  await visitor.reads(/This link or key is not valid/);
  await visitor.page.fill('[name=key]', stage.link(room, 'speaker'));
  await visitor.page.click('text=Come in');
  await visitor.reads(/Green room/);
  await visitor.leave();
});

test('nobody joins without agreeing to be recorded and published', async () => {
  const room = stage.room();
  const visitor = await visit(room, 'speaker');
  await visitor.reads(/recorded without a break/);
  await visitor.page.fill('[name=name]', 'Anna');
  await visitor.reads(/Still needed: your agreement/);
  assert.ok(await visitor.page.isDisabled('.join button'));
  await ready(visitor);
  assert.equal(room.people.length, 0);
  await visitor.leave();
});

test('the path is tried before joining, and told in words', async () => {
  const room = stage.room();
  const visitor = await visit(room, 'speaker');
  await visitor.page.click('text=Test the path');
  await visitor.reads(/The direct way is open \(UDP\)\. There and back in \d+ ms/);
  await until(() => mine(room, 'speaker')?.here === false, 'the test connection is taken down');
  await visitor.leave();
});

test('a speaker joins, is heard, and hears the others', async () => {
  const room = stage.room();
  const script = () => {
    const { Audio } = window;
    window.Audio = class extends Audio {
      constructor(...given) {
        super(...given);
        window.heard = this;
      }
    };
  };
  const visitor = await speaker(room, { script });
  assert.ok(await hears(visitor));
  assert.equal(mine(room).name, 'Anna Seghers');
  const offer = stage.offers.at(-1);
  assert.match(offer, /a=sendrecv/);
  assert.match(offer, /a=rtcp-fb:111 nack/);
  await visitor.leave();
});

test('the mute key is tapped, and held to speak for as long', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { page } = visitor;
  await page.click('#mute');
  await visitor.reads(/You are muted\. Nobody hears you/);
  await until(() => mine(room).muted === 'self', 'the node knows');
  await page.locator('body').press('Shift');
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.down('Space');
  await visitor.reads(/You are heard while you hold/);
  await until(() => mine(room).muted === 'no', 'heard while it is held');
  await page.keyboard.up('Space');
  await visitor.reads(/You are muted/);
  await until(() => mine(room).muted === 'self', 'and no longer');
  await page.focus('#mute');
  await page.keyboard.press('Enter');
  await visitor.reads(/The stage hears you/);
  await visitor.leave();
});

test('who joins muted is muted on the node too', async () => {
  const room = stage.room();
  const visitor = await visit(room, 'speaker');
  await ready(visitor);
  await visitor.page.check('[name=muted]');
  await visitor.page.click('.join button');
  await visitor.reads(/You are muted/);
  await until(() => mine(room, 'speaker')?.muted === 'self', 'the node knows');
  await visitor.leave();
});

test('who is signed out by the host is told so', async () => {
  const room = stage.room();
  const guest = await speaker(room, { role: 'speaker', name: 'Gustav' });
  const visitor = await speaker(room);
  await visitor.page.click('summary:has-text("Signed in")');
  await visitor.page.click('button:has-text("Sign out Gustav")');
  await guest.reads(/You are signed out\./);
  await guest.leave();
  await visitor.leave();
});

test('a mute by the host is seen, silences the microphone, and may be lifted', async () => {
  const room = stage.room();
  const visitor = await speaker(room, { role: 'speaker' });
  mine(room, 'speaker').muted = 'host';
  room.show();
  await visitor.reads(/The host has muted you/);
  await visitor.page.click('#mute');
  await until(() => mine(room, 'speaker').muted === 'no', 'lifted');
  await visitor.leave();
});

test('requests stand in order, and the host grants and declines', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  room.requests = ['Beth', 'Carl'].map((name) => ({ id: name, name, since: new Date().toISOString() }));
  room.show();
  await visitor.reads(/Beth[^]*Carl/);
  await visitor.page.click('button:has-text("Give the floor Beth")');
  await visitor.reads(/Beth\s+Listener · not connected/);
  await visitor.page.click('button:has-text("Not now Carl")');
  await visitor.reads(/Nobody asks for the floor/);
  await visitor.leave();
});

test('trouble with a sound is said to the person and to the host', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  Object.assign(mine(room), { echo: true, clipping: true });
  room.people.push(person('Dora', { sound: 'lost' }), person('Emil', { sound: 'silent', echo: true }));
  room.show();
  await visitor.reads(/The others hear themselves through you/);
  await visitor.reads(/Too loud: the sound breaks/);
  await visitor.reads(/Dora[^]*No sound arrives/);
  await visitor.reads(/Emil[^]*Echo: needs headphones[^]*Microphone silent/);
  await visitor.leave();
});

test('the evening is begun, announced, limited and ended from the desk', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { page } = visitor;
  await visitor.reads(/1 person is connected[^]*The recorder reports no trouble[^]*Room for 5,000 listeners/);
  await page.click('text=Go live');
  await visitor.reads(/Everybody hears you/);
  await page.click('summary:has-text("Tell everybody")');
  await page.fill('textarea', 'We begin in a minute.');
  await page.click('button:text-is("Publish")');
  await until(() => room.status.notices.length === 1, 'the notice is published');
  await page.click('summary:has-text("Seats")');
  await page.fill('[name=cap]', '1200');
  await visitor.reads(/Lets 1,200 more people in/);
  await page.click('button:text-is("Set")');
  await until(() => room.status.seats.cap === 1200, 'the cap is set');
  await page.click('text=End the conversation…');
  await page.click('text=Go on');
  assert.equal(room.status.state, 'live');
  await page.click('text=End the conversation…');
  await page.click('button:text-is("End it")');
  await visitor.reads(/The conversation is over/);
  await visitor.leave();
});

test('an invitation has a link and a square, opens the stage for one role, and can be withdrawn', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { page } = visitor;
  await page.click('summary:has-text("Invite")');
  await page.click('text=Link for a speaker');
  await visitor.reads(/Whoever opens this link comes in as: Speaker/);
  assert.equal(await page.locator('.square path').count(), 1);
  const link = await page.inputValue('.invitation input');
  const guest = await Visit.to(browser, link);
  await guest.reads(/Green room/);
  assert.match(await guest.page.innerText('header'), /Speaker/);
  await page.click('button:has-text("Withdraw")');
  await until(() => room.invitations.length === 0, 'withdrawn');
  await guest.leave();
  await visitor.leave();
});

test('who is removed is told so, and their microphone is off', async () => {
  const room = stage.room();
  const guest = await speaker(room, { role: 'speaker', name: 'Gustav' });
  const visitor = await speaker(room);
  await dismiss(visitor, 'Gustav');
  await guest.reads(/You were taken off the stage/);
  await until(() => !room.people.some(({ name }) => name === 'Gustav'), 'gone from the stage');
  await visitor.page.waitForFunction(() => !/Manage Gustav/.test(document.body.innerText));
  await guest.leave();
  await visitor.leave();
});

test('who is removed reads so also where their sound is refused before the events say why', async () => {
  const room = stage.room();
  const guest = await speaker(room, { role: 'speaker', name: 'Gustav' });
  const { id } = mine(room, 'speaker');
  const [stream] = [...room.streams].filter(({ person }) => person === id);
  stage.refusedOffers = [];
  stage.takeBadge(room, id);
  await until(() => stage.refusedOffers.includes('signed_out'), 'the sound is offered anew, and refused');
  stream.gone('removed');
  await guest.reads(/You were taken off the stage/);
  await guest.leave();
});

test('an invitation that others came by too is taken back with who is removed', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { page } = visitor;
  await page.click('summary:has-text("Invite")');
  await page.click('text=Link for a speaker');
  const link = await page.inputValue('.invitation input');
  const [gustav, marie] = [await speakerBy(link, 'Gustav'), await speakerBy(link, 'Marie')];
  await dismiss(visitor, 'Gustav');
  await visitor.reads(/The invitation Gustav came by has let others in too/);
  await gustav.reads(/You were taken off the stage/);
  assert.equal(room.invitations.length, 1, 'nobody else is signed out unasked');
  await page.click('dialog >> text=Take back this link');
  await marie.reads(/You are signed out/);
  assert.equal(room.invitations.length, 0);
  await page.waitForSelector('dialog', { state: 'detached' });
  for (const one of [gustav, marie, visitor]) await one.leave();
});

test('an invitation that nobody else came by is closed with who is removed, without a question', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  await visitor.page.click('summary:has-text("Invite")');
  await visitor.page.click('text=Link for a speaker');
  const gustav = await speakerBy(await visitor.page.inputValue('.invitation input'), 'Gustav');
  await dismiss(visitor, 'Gustav');
  await visitor.page.waitForSelector('dialog', { state: 'detached' });
  assert.equal(room.invitations.length, 0);
  for (const one of [gustav, visitor]) await one.leave();
});

test('a key that still opens the stage is replaced by the host, who reads the new link', async () => {
  const room = stage.room();
  const gustav = await speaker(room, { role: 'speaker', name: 'Gustav' });
  const visitor = await speaker(room);
  const before = room.keys.speaker;
  await dismiss(visitor, 'Gustav');
  await visitor.reads(/Gustav came by a key of the room/);
  await visitor.page.click('dialog >> text=Take back this link');
  await visitor.reads(/The old link opens nothing any more/);
  assert.notEqual(room.keys.speaker, before);
  assert.equal(await visitor.page.inputValue('dialog input'), stage.link(room, 'speaker'));
  await visitor.page.click('dialog >> text=Close');
  await visitor.page.waitForSelector('dialog', { state: 'detached' });
  for (const one of [gustav, visitor]) await one.leave();
});

test('a second window takes the stage only when asked to, and the first says so', async () => {
  const room = stage.room();
  const first = await speaker(room);
  const second = await first.window(`${stage.origin}/${room.name}/stage`);
  await second.reads(/You are on the stage already, in another window/);
  assert.ok(await second.page.isDisabled('button:has-text("Test the path")'));
  assert.equal(room.lines.size, 1);
  const [line] = room.lines.keys();
  await second.page.click('.join button');
  await second.reads(/The stage hears you/);
  await first.reads(/You are on the stage in another window/);
  assert.equal(stage.refusedOffers.at(-1), 'taken_over');
  assert.ok(!room.lines.has(line));
  const [kept] = room.lines.keys();
  await first.page.click('text=Continue here');
  await first.reads(/The stage hears you/);
  await second.reads(/You are on the stage in another window/);
  assert.ok(!room.lines.has(kept), 'the second window does not take it back');
  assert.deepEqual([room.lines.size, room.people.length], [1, 1]);
  await first.leave();
});

test('a key that the node does not answer to is kept and tried again', async () => {
  for (const trouble of ['unreached', 'going_down']) {
    const room = stage.room();
    stage.trouble = trouble;
    const visitor = await visit(room, 'speaker').finally(() => (stage.trouble = trouble));
    await visitor.reads(/This page keeps trying by itself/);
    assert.ok(!visitor.page.url().includes('#'), 'the key has left the address all the same');
    stage.trouble = '';
    await visitor.reads(/Green room/);
    assert.doesNotMatch(await visitor.page.innerText('main'), /keeps trying/);
    await visitor.leave();
  }
});

/** Counts what a page hears of streams being alive. */
const countAlive = () => {
  const { EventSource } = window;
  window.alive = window.opened = 0;
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener('open', () => window.opened++);
      this.addEventListener('alive', () => window.alive++);
    }
  };
};

test('events that die unseen are asked for anew, and those that live are left alone', async () => {
  const room = stage.room();
  const visitor = await visit(room, 'speaker', { clock: true, script: countAlive });
  const { page } = visitor;
  await visitor.reads(/Nobody is on stage yet/);
  const asked = () => stage.requests.filter((one) => one.endsWith(`/${room.name}/events`)).length;
  await page.waitForFunction(() => window.opened === 1);
  const before = asked();
  for (let times = 1; times <= 3; times++) {
    await page.clock.fastForward(30_000);
    for (const stream of room.streams) stream.tell('alive', {});
    await page.waitForFunction((count) => window.alive === count, times);
  }
  assert.equal(asked(), before, 'a stream that says that it lives is kept');
  room.streams.clear(); // From here on it says nothing, and stays open.
  room.people.push(person('Dora'));
  const reopened = page.waitForResponse('**/events');
  await page.clock.fastForward(36_000);
  await reopened;
  await visitor.reads(/Already there: Dora/);
  room.streams.clear();
  room.people.push(person('Emil'));
  await page.clock.fastForward(2_000);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await visitor.reads(/Already there: Dora and Emil/);
  await visitor.leave();
});

test('who closed their microphone is heard by nobody when the node did not hear of it, and it is told again', async () => {
  const room = stage.room();
  const visitor = await speaker(room, { script: pullable });
  const { page } = visitor;
  await page.route('**/mute', (route) => route.abort());
  const failed = page.waitForEvent('requestfailed');
  await page.click('#mute');
  await failed;
  room.people.push(person('Dora'));
  room.show();
  await visitor.reads(/Dora/);
  await visitor.reads(/You are muted\. Nobody hears you/);
  assert.equal(await page.evaluate(() => window.track.enabled), false);
  await page.unroute('**/mute');
  room.show();
  await until(() => mine(room).muted === 'self', 'the node is told');
  await visitor.leave();
});

test('a server that restarts has everybody back by themselves', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { port } = stage;
  await stage.goDown();
  await visitor.reads(/The connection to the server paused/);
  await stage.start(port);
  const began = Date.now();
  await until(() => mine(room).here, 'the line is offered anew');
  await visitor.reads(/The stage hears you/);
  await visitor.page.waitForFunction(() => !/server paused/.test(document.body.innerText));
  assert.ok(Date.now() - began < BACK_MS, `back after ${Date.now() - began} ms`);
  await visitor.leave();
});

test('a tab that was closed and opened again is the same person, back on the stage', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const [{ id }] = room.people;
  await visitor.page.close({ runBeforeUnload: false });
  visitor.page = await visitor.context.newPage();
  await visitor.page.goto(`${stage.origin}/${room.name}/stage`);
  await visitor.reads(/The stage hears you/);
  visitor.page.on('dialog', (dialog) => void dialog.accept());
  await visitor.page.reload();
  await visitor.reads(/The stage hears you/);
  assert.deepEqual(
    room.people.map((one) => one.id),
    [id],
  );
  await visitor.leave();
});

test('leaving by accident asks first; leaving does not', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  const { page } = visitor;
  const asked = page.waitForEvent('dialog');
  await page.evaluate(() => void setTimeout(() => location.reload()));
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.dismiss();
  await page.click('text=Leave');
  await visitor.reads(/You have left the stage/);
  await until(() => !mine(room).here, 'the line is taken down');
  await page.click('text=Back to the green room');
  await page.click('.join button:not([disabled])');
  await visitor.reads(/The stage hears you/);
  await page.click('text=Leave');
  await visitor.reads(/You have left the stage/);
  await page.reload();
  await visitor.reads(/Green room/);
  await visitor.leave();
});

test('a microphone that is refused is said in words, with what to do', async () => {
  const room = stage.room();
  const script = () => {
    const refuse = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    navigator.mediaDevices.getUserMedia = refuse;
  };
  const visitor = await visit(room, 'speaker', { script });
  await visitor.reads(/may not use a microphone here\. Allow it by the sign beside the address/);
  await visitor.reads(/Still needed: a microphone/);
  await visitor.leave();
});

test('a microphone that is unplugged falls to another, and says so', async () => {
  const room = stage.room();
  const visitor = await speaker(room, { script: pullable });
  await visitor.page.evaluate(() => window.pull());
  await visitor.reads(/Your microphone was unplugged\. You speak through “Fake/);
  assert.equal(await visitor.page.evaluate(() => window.asked), 2);
  await visitor.leave();
});

test('the last microphone gone is said, and noticed when it is back', async () => {
  const room = stage.room();
  const visitor = await speaker(room, { script: pullable });
  await visitor.page.evaluate(() => {
    window.bare = true;
    window.pull();
  });
  await visitor.reads(/The microphone is gone\. Plug it in again/);
  await visitor.page.evaluate(() => {
    window.bare = false;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await visitor.reads(/You speak through “Fake/);
  await visitor.leave();
});

test('from the link to the floor by keyboard alone', async () => {
  const room = stage.room();
  const visitor = await visit(room, 'host');
  const { page } = visitor;
  await visitor.reads(/Green room/);
  const tabTo = async (matches) => {
    for (let tabs = 0; tabs < 40; tabs++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const { name, id, innerText } = document.activeElement;
        return `${name ?? ''}|${id}|${innerText}`;
      });
      if (matches.test(at)) return;
    }
    assert.fail(`${matches} is not reached by Tab`);
  };
  await tabTo(/^name\|/);
  await page.keyboard.type('Anna Seghers');
  await tabTo(/^accept\|/);
  await page.keyboard.press('Space');
  await tabTo(/Join the stage/);
  await page.keyboard.press('Enter');
  await visitor.reads(/The stage hears you/);
  await tabTo(/Go live/);
  await page.keyboard.press('Enter');
  await visitor.reads(/Everybody hears you/);
  await tabTo(/Invite/);
  await page.keyboard.press('Enter');
  await tabTo(/Link for a speaker/);
  await tabTo(/\|mute\|/);
  await page.keyboard.press('Space');
  await visitor.reads(/You are muted/);
  await tabTo(/Leave/);
  await visitor.leave();
});

test('the language turns without a reload', async () => {
  const room = stage.room();
  const visitor = await speaker(room);
  await visitor.page.evaluate(() => (window.same = true));
  await visitor.page.click('text=Français');
  await visitor.reads(/Le plateau vous entend/);
  assert.equal(await visitor.page.getAttribute('html', 'lang'), 'fr');
  assert.ok(await visitor.page.evaluate(() => window.same));
  await visitor.leave();
});

/** Every state, for axe. */
const STATES = {
  door: async () => Visit.to(browser, `${stage.origin}/${stage.room().name}/stage`, given),
  green: async () => visit(stage.room(), 'speaker', given),
  stage: async () => {
    const room = stage.room({ starts_at: new Date(Date.now() + 3_600_000).toISOString() });
    room.people = [
      person('Ada Lovelace', { speaking: true }),
      person('Jean Moulin', { muted: 'host', role: 'cohost' }),
      person('Dora', { sound: 'lost', echo: true }),
      person('Mary', { here: false }),
    ];
    room.requests = [{ id: 'b', name: 'Beth', since: new Date().toISOString() }];
    const visitor = await speaker(room, given);
    for (const summary of await visitor.page.locator('details:not(.sheet) > summary').all())
      await summary.click();
    await visitor.page.click(
      '.desk .row button:has-text("speaker"), .desk .row button:has-text("intervenant")',
    );
    await visitor.page.waitForSelector('.square');
    return visitor;
  },
  'door, refused': async () => {
    const visitor = await Visit.to(browser, `${stage.origin}/${stage.room().name}/stage#key=wrong-key-0123456789`, given);
    await visitor.page.waitForSelector('[role=alert]');
    return visitor;
  },
  'green, no microphone': async () => {
    const script = () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    };
    const visitor = await visit(stage.room(), 'speaker', { ...given, script });
    await visitor.page.waitForSelector('[role=alert]');
    return visitor;
  },
  'green, path tried': async () => {
    const visitor = await visit(stage.room(), 'speaker', given);
    await visitor.page.click('.steps section:nth-of-type(3) button');
    // On a slow machine the path is far, and said to be so.
    await visitor.page.waitForSelector('.steps section:nth-of-type(3) [role=status] p');
    return visitor;
  },
  'green, on stage elsewhere': async () => {
    const room = stage.room();
    const first = await speaker(room, { role: 'speaker', ...given });
    const second = await first.window(`${stage.origin}/${room.name}/stage`);
    await second.page.waitForSelector('.note');
    return Object.assign(first, { page: second.page });
  },
  'before the end': async () => {
    const visitor = await speaker(stage.room({ state: 'live', started_at: new Date().toISOString() }), given);
    await visitor.page.locator('.desk .danger').first().click();
    await visitor.page.waitForSelector('dialog[open]');
    return visitor;
  },
  'before a removal': async () => {
    const room = stage.room();
    room.people = [person('Dora')];
    const visitor = await speaker(room, given);
    await visitor.page.click('.rule summary');
    await visitor.page.click('.rule .danger');
    await visitor.page.waitForSelector('dialog[open]');
    return visitor;
  },
  'after a removal': async () => {
    const room = stage.room();
    const guest = await speaker(room, { role: 'speaker', name: 'Gustav', ...given });
    const visitor = await speaker(room, given);
    await visitor.page.click('.rule summary');
    await visitor.page.click('.rule .danger');
    await visitor.page.click('dialog .danger');
    await visitor.page.waitForSelector('dialog [role=status]');
    await guest.leave();
    return visitor;
  },
  left: async () => {
    const visitor = await speaker(stage.room(), { role: 'speaker', ...given });
    await visitor.page.locator('.dock-acts button').last().click();
    await visitor.page.waitForSelector('main h1 + p + .row');
    return visitor;
  },
  removed: async () => {
    const room = stage.room();
    const visitor = await speaker(room, { role: 'speaker', ...given });
    stage.remove(room, mine(room, 'speaker').id);
    await visitor.page.waitForSelector('main h1 + p + .row');
    return visitor;
  },
  missing: async () => Visit.to(browser, `${stage.origin}/no-such-room/stage`, given),
  muted: async () => {
    const room = stage.room({ state: 'live', started_at: new Date().toISOString() });
    const visitor = await speaker(room, { role: 'speaker', ...given });
    mine(room, 'speaker').muted = 'host';
    mine(room, 'speaker').echo = true;
    room.show();
    await visitor.reads(/host has muted|hôte a coupé/);
    return visitor;
  },
  ended: async () => {
    const room = stage.room();
    room.end();
    return visit(room, 'host', given);
  },
};
let given = {};

test('axe finds nothing in any state, language or colour scheme', async () => {
  for (const [colorScheme, locale, width] of [
    ['light', 'en-GB', 360],
    ['dark', 'fr-FR', 1280],
  ]) {
    given = { context: { colorScheme, locale, viewport: { width, height: 900 } } };
    for (const [state, arrive] of Object.entries(STATES)) {
      const visitor = await arrive();
      await visitor.page.waitForSelector('h1');
      const wide = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${state} ${width}: ${wide} px too wide`);
      await visitor.page.evaluate(axe);
      const { violations } = await visitor.page.evaluate(() => window.axe.run());
      const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
      assert.deepEqual(found, [], `${state} ${colorScheme} ${locale}`);
      await visitor.leave();
    }
  }
});
