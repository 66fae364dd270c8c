// The line as visitors meet it, in real browsers on a real node: a full house, a seat that comes free, two
// devices, no scripts, a node that is gone, the end.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { begin, browser, node, wire } from './scene.mjs';
import { LOOKS_EVERY_MS, PATIENCE_MS, Visit } from './visit.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

before(begin);

/** Counts the notes that the page plays by itself. */
function countNotes() {
  window.notes = 0;
  const { start } = AudioScheduledSourceNode.prototype;
  AudioScheduledSourceNode.prototype.start = function (...at) {
    window.notes++;
    return start.apply(this, at);
  };
}

const visit = (room, options) => Visit.to(browser, `${wire.origin}/${room.name}`, { script: countNotes, ...options });

/** A live room with so many seats. It never had more: who came to an open house would be called at once, and wait at the
 * door when it is not. */
async function house(seats) {
  const room = await node.room();
  await room.cap(seats);
  await room.live();
  return room;
}

/** Somebody who pressed and hears. */
async function listener(room, options) {
  const visitor = await visit(room, options);
  await visitor.page.click('#play');
  await visitor.reads(/behind live/);
  return visitor;
}

/** Somebody who pressed and waits. */
async function waiter(room, options) {
  const visitor = await visit(room, options);
  await visitor.page.click('#play');
  await visitor.reads(/You have a place in line/);
  return visitor;
}

/** Comes back when it is so. */
async function until(isSo) {
  const patience = Date.now() + PATIENCE_MS;
  while (!(await isSo())) assert.ok(Date.now() < patience, String(isSo));
}

/** The ticket that a page keeps. */
const kept = ({ page }, room) =>
  page.evaluate((key) => JSON.parse(localStorage.getItem(key))?.ticket, `tribune.ticket.${room.name}`);

test('one seat, two people: the second waits, keeps the place over a reload, and hears by itself', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  await second.reads(/people ahead of you\s+[01]\s/);
  assert.match(await second.page.title(), /^[01] ahead · /);
  const ticket = await kept(second, room);
  await second.page.reload();
  await second.reads(/this page asks you to press a button/);
  assert.equal(await kept(second, room), ticket);
  await second.page.click('#auto');
  await second.reads(/the sound starts here by itself/);
  await first.leave();
  await second.reads(/behind live/);
  await second.hears(0.5);
  assert.ok((await second.level()) > 0.02);
  assert.equal(await second.page.evaluate(() => window.notes), 2, 'a soft sound says whose turn it is');
  await second.leave();
});

test('more seats let in who waits, and the page says so where nobody had pressed', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  const third = await waiter(room);
  await third.page.reload();
  await third.reads(/this page asks you to press a button/);
  await room.cap(3);
  await second.reads(/behind live/);
  await third.reads(/It is your turn/);
  assert.match(await third.page.title(), /^It is your turn · /);
  assert.equal((await third.audio()).currentTime, 0, 'nothing plays that was not asked for');
  await third.page.click('#play');
  await third.reads(/behind live/);
  for (const visitor of [first, second, third]) await visitor.leave();
});

test('whose turn it is in a full house is told so, and who is put off is not', async () => {
  const room = await house(1);
  for (const [code, says] of [
    ['door_busy', /Finding your place/],
    ['place_kept', /It is your turn, and every seat was taken just now/],
  ]) {
    const visitor = await visit(room);
    const refuse = (route) =>
      route.fulfill({ status: 503, headers: { 'retry-after': '5' }, json: { code, message: code } });
    await visitor.page.route('**/claim', refuse);
    const refused = visitor.page.waitForResponse((answer) => answer.url().endsWith('/claim'));
    await visitor.page.click('#play');
    await refused;
    await visitor.reads(says);
    await visitor.leave();
  }
});

test('whoever comes to a full house is told before they press', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await visit(room);
  await second.reads(/Every seat is taken/);
  assert.equal(await second.page.innerText('#play'), 'Save my place');
  await first.leave();
  await second.leave();
});

test('one ticket, one seat: it goes where it was used last, and comes back', async () => {
  const room = await house(1);
  const phone = await listener(room);
  const storageState = await phone.context.storageState();
  const desk = await visit(room, { context: { storageState } });
  await desk.reads(/It is your turn/);
  await desk.page.click('#play');
  await desk.reads(/behind live/);
  await phone.reads(/You are listening in another window or on another device/);
  await phone.page.click('#play');
  await phone.reads(/behind live/);
  await desk.reads(/Listen here instead/);
  await phone.leave();
  await desk.leave();
});

test('of two windows of one browser the one that was pressed last is let in', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  const window = await second.window(`${wire.origin}/${room.name}`);
  await window.reads(/You have a place in line/);
  await window.page.click('#auto');
  await window.reads(/the sound starts here by itself/);
  await room.cap(2);
  await window.reads(/behind live/);
  await second.reads(/You are listening in another window/);
  await first.leave();
  await second.leave();
});

test('a seat that lapsed while the phone slept is claimed again by itself', async () => {
  const room = await house(2);
  const visitor = await listener(room);
  const lapsed = (route) => route.fulfill({ status: 410, contentType: 'application/json', body: '{"code":"seat_lapsed"}' });
  await visitor.page.route('**/live.mp4*', lapsed, { times: 1 });
  const claimed = visitor.page.waitForResponse((answer) => answer.url().endsWith('/claim') && answer.ok());
  await visitor.page.selectOption('#rate', 'opus32');
  await claimed;
  await visitor.reads(/behind live/);
  await visitor.hears(0.5);
  await visitor.leave();
});

test('a place before the draw: it makes no difference who came first, and an early start calls everybody', async () => {
  const room = await node.room({ starts_at: new Date(Date.now() + 4_350_000).toISOString() });
  const [one, two] = [await visit(room), await visit(room)];
  for (const visitor of [one, two]) {
    await visitor.reads(/Places saved before .* are put in order by lot/);
    await visitor.page.click('#save');
    await visitor.reads(/You are in the draw/);
    await visitor.reads(/Until then it makes no difference who came earlier/);
  }
  await two.reads(/people in the draw\s+2/);
  await two.reads(/There is a seat for everybody so far/);
  await room.live();
  await until(async () => (await room.status()).draw.count === 2);
  for (const visitor of [one, two]) {
    await visitor.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await visitor.reads(/behind live/);
    await visitor.leave();
  }
});

test('without JavaScript a form takes a ticket, shows the place, and claims the seat', async () => {
  const room = await house(1);
  const first = await listener(room);
  const { page, context } = await visit(room, { context: { javaScriptEnabled: false }, script: undefined });
  await page.click('form button:text("Save my place")');
  await page.waitForSelector('text=/You have a place in line|Finding your place/');
  await page.waitForSelector('text=You have a place in line');
  assert.match(await page.innerText('body'), /people ahead of you/);
  await room.cap(2);
  await page.waitForSelector('text=It is your turn');
  await page.click('form button:text("Take my seat")');
  await page.waitForSelector('text=You have a seat');
  const source = await page.getAttribute('audio source', 'src');
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const answer = await fetch(wire.origin + source, { headers: { cookie } });
  assert.equal(answer.status, 200);
  await answer.body.cancel();
  await until(async () => (await room.status()).seats.taken === 2);
  await first.leave();
});

test('without JavaScript, in French, the form answers in French', async () => {
  const room = await node.room({ starts_at: new Date(Date.now() + 4_350_000).toISOString() });
  const options = { context: { javaScriptEnabled: false }, script: undefined };
  const { page } = await Visit.to(browser, `${wire.origin}/${room.name}?lang=fr`, options);
  await page.click('form button:text("Garder ma place")');
  await page.waitForSelector('text=Vous participez au tirage');
  assert.match(await page.innerText('body'), /personnes au tirage\s+1/);
});

test('the node is killed and comes back: page and ticket are kept, and heal by themselves', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  const ticket = await kept(second, room);
  const path = `/${room.name}`;
  await second.page.waitForFunction(async (at) => !!(await caches.match(at)), path);
  wire.cut();
  await second.page.reload();
  await second.reads(/We cannot be reached; trying again in \d+ s\. .*Your place is kept/);
  await second.reads(/You have a place in line/);
  // No cache takes it for the page. It loads itself anew when it may, so that it is looked at until it holds.
  await second.page.waitForFunction(
    () => performance.getEntriesByType('navigation')[0]?.responseStatus === 503,
  );
  await node.restart();
  wire.mend();
  await second.page.waitForFunction(() => !/cannot be reached/.test(document.body.innerText));
  await second.reads(/You have a place in line|It is your turn/);
  await second.page.waitForFunction(
    ([key, ticket]) => JSON.parse(localStorage.getItem(key))?.ticket === ticket,
    [`tribune.ticket.${room.name}`, ticket],
  );
  await first.context.close();
  await second.context.close();
});

test('the end hands the replay to who waits and to who listens, and leaves nothing behind', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  await second.page.waitForFunction((at) => caches.match(at).then(Boolean), `/${room.name}`);
  await room.end();
  for (const visitor of [first, second]) {
    await visitor.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await visitor.reads(/Hear it in full/);
    await visitor.page.waitForFunction(() => document.getElementById('replay').duration > 0);
  }
  assert.equal(await kept(second, room), undefined);
  await second.page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0);
  await second.page.waitForFunction(async () => (await caches.keys()).length === 0);
  await first.leave();
  await second.leave();
});

test('a page with a ticket is its visitor’s own, and everybody else’s is nobody’s', async () => {
  const room = await house(1);
  const at = `${node.origin}/${room.name}`;
  const drawn = await fetch(`${at}/ticket`, { method: 'POST' });
  const cookie = drawn.headers.get('set-cookie').split(';')[0];
  const ask = async (headers) => {
    const answer = await fetch(at, { headers });
    return [answer.headers.get('cache-control'), answer.headers.get('vary'), await answer.text()];
  };
  const [cache, vary, own] = await ask({ cookie });
  assert.equal(cache, 'private, no-store');
  assert.match(vary, /cookie/);
  assert.match(own, /"place":/);
  for (const headers of [{}, { cookie: cookie.replace('=', '=A') }, { cookie: 'other=1' }]) {
    const [cache, vary, html] = await ask(headers);
    assert.equal(cache, 'public, max-age=1');
    assert.match(vary, /cookie/);
    assert.doesNotMatch(html, /"place":/);
  }
});

test('axe finds nothing in the line, light or dark', async () => {
  const room = await house(0);
  for (const colorScheme of ['light', 'dark']) {
    const visitor = await waiter(room, { context: { colorScheme } });
    await visitor.page.click('#fair');
    await visitor.page.evaluate(axe);
    const { violations } = await visitor.page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], colorScheme);
    await visitor.leave();
  }
});

test('who waits hears it half a minute late meanwhile, and goes over to live when it is their turn', async () => {
  const room = await house(1);
  const first = await listener(room);
  const second = await waiter(room);
  await second.reads(/Hear it now, about 30 s late/);
  await second.page.click('#later');
  await second.reads(/You hear it about 30 s late. You keep your place/);
  assert.ok((await second.level()) > 0.02);
  assert.match(await second.page.title(), /^[01] ahead · /);
  await beHidden(second);
  await first.leave();
  await second.reads(/behind live/);
  assert.match(await second.page.evaluate(() => window.told), /^It is your turn · /);
  await second.hears(0.5);
  assert.ok((await second.level()) > 0.02);
  const third = await waiter(room);
  await third.page.click('#later');
  await third.reads(/You hear it about 30 s late/);
  await room.end();
  await third.reads(/Ended/);
  await third.page.waitForFunction(() => document.getElementById('a').paused, null, { polling: LOOKS_EVERY_MS });
  for (const visitor of [second, third]) await visitor.leave();
});

/** The page is not seen, and may have the device speak: what it would say is kept. */
function beHidden({ page }) {
  return page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
    window.Notification = class {
      static permission = 'granted';
      constructor(title) {
        window.told = title;
      }
    };
    ServiceWorkerRegistration.prototype.showNotification = async (title) => {
      window.told = title;
    };
  });
}
