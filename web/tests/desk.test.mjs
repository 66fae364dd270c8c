// The host's desk and the operator's console in a real browser on a real node: what is asked there is done here.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { KEY, RealNode } from './real-node.mjs';
import { Visit, launch } from './visit.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let node, browser;

before(async () => {
  node = await new RealNode().start();
  browser = await launch(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
});

after(async () => {
  await browser?.close();
  await node?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

const link = (room, role) => `${node.stage}/${room.name}/stage#key=${room.keys[role]}`;

const onStage = (room, role, name) => enter(link(room, role), name);

async function enter(url, name) {
  const visitor = await Visit.to(browser, url, { origins: [node.origin] });
  const { page } = visitor;
  await page.fill('[name=name]', name);
  await page.check('[name=accept]');
  await page.click('.join button:not([disabled])');
  await visitor.reads(/The stage hears you|Everybody hears you/);
  return visitor;
}

async function dismiss({ page }, name) {
  await page.click(`summary:has-text("Manage ${name}")`);
  await page.click(`li:has-text("${name}") >> button:text-is("Remove")`);
  await page.click('dialog >> button:text-is("Remove")');
}

test('the path is tried on the real port, and found open', async () => {
  const visitor = await Visit.to(browser, link(await node.room(), 'speaker'));
  await visitor.page.click('text=Test the path');
  await visitor.reads(/The direct way is open \(UDP\)/);
  await visitor.leave();
});

test('who is sent away is told, and is on the stage no more', async () => {
  const room = await node.room();
  const ada = await onStage(room, 'host', 'Ada');
  const jean = await onStage(room, 'speaker', 'Jean');
  await dismiss(ada, 'Jean');
  await jean.reads(/You were taken off the stage/);
  await ada.page.waitForFunction(() => !/Manage Jean/.test(document.body.innerText));
  await ada.reads(/Jean came by a key of the room/);
  await ada.page.click('dialog >> text=Take back this link');
  await ada.reads(/The old link opens nothing any more/);
  const late = await Visit.to(browser, link(room, 'speaker'));
  await late.reads(/not valid, or not any more/);
  const renewed = await Visit.to(browser, await ada.page.inputValue('dialog input'));
  await renewed.reads(/Green room/);
  for (const one of [late, renewed]) await one.leave();
  await ada.leave();
  await jean.leave();
});

test('an invitation goes with who alone came by it, and is taken back by the host where others did too', async () => {
  const room = await node.room();
  const ada = await onStage(room, 'host', 'Ada');
  await ada.page.click('summary:has-text("Invite")');
  await ada.page.click('text=Link for a speaker');
  const invitation = await ada.page.inputValue('.invitation input');
  const guests = [];
  for (const name of ['Jean', 'Marie']) guests.push(await enter(invitation, name));
  await dismiss(ada, 'Jean');
  await guests[0].reads(/You were taken off the stage/);
  await ada.reads(/The invitation Jean came by has let others in too/);
  await ada.page.click('dialog >> text=Leave it open');
  await dismiss(ada, 'Marie');
  await guests[1].reads(/You were taken off the stage/);
  await ada.page.waitForSelector('dialog', { state: 'detached' });
  const late = await Visit.to(browser, invitation);
  await late.reads(/not valid, or not any more/);
  for (const one of [late, ...guests, ada]) await one.leave();
});

test('an invitation made on the stage opens it, and withdrawn it does not', async () => {
  const room = await node.room();
  const ada = await onStage(room, 'host', 'Ada');
  const { page } = ada;
  await page.click('summary:has-text("Invite")');
  await page.click('text=Link for a speaker');
  const invitation = await page.inputValue('.invitation input');
  const guest = await Visit.to(browser, invitation);
  await guest.reads(/Green room/);
  await page.click('button:has-text("Withdraw")');
  await guest.reads(/You are signed out/);
  await guest.leave();
  const late = await Visit.to(browser, invitation);
  await late.reads(/not valid, or not any more/);
  await late.leave();
  await ada.leave();
});

test('the desk announces, limits, reschedules and shows who is signed in; axe finds nothing', async () => {
  const room = await node.room();
  const ada = await onStage(room, 'host', 'Ada');
  const { page } = ada;
  for (const summary of await page.locator('.desk details > summary').all()) await summary.click();
  await page.fill('textarea', 'We begin in a minute.');
  await page.click('button:text-is("Publish")');
  await ada.reads(/We begin in a minute/);
  await page.fill('[name=cap]', '800');
  await page.click('button:text-is("Set")');
  await ada.reads(/Room for 800 listeners/);
  await page.click('text=10 min later');
  await ada.reads(/The draw was held, and nobody’s place changes\. The seats are filled from \d\d?:\d\d/);
  await page.click('button:text-is("Announce")');
  await ada.reads(/Announced for/);
  await ada.reads(/Ada Host · this browser/);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
  );
  await ada.leave();
});

test('before another number of seats is set, the desk says what it means for the line', async () => {
  const room = await node.room();
  await room.live();
  await room.cap(0);
  for (let come = 0; come < 3; come++) await fetch(`${node.origin}/${room.name}/ticket`, { method: 'POST' });
  const ada = await onStage(room, 'host', 'Ada');
  await ada.page.click('summary:has-text("Seats")');
  await ada.reads(/Nobody is let in: whoever comes waits in line/);
  await ada.page.fill('[name=cap]', '2');
  await ada.reads(/Lets 2 more people in\. 3 people are in line; how much it changes their wait cannot be said/);
  await ada.page.click('button:text-is("Set")');
  await ada.reads(/Room for 2 listeners/);
  await ada.leave();
});

test('the operator sees the room in the console, and its evening', async () => {
  const room = await node.room({ title: 'Bread and roses' });
  await room.live();
  await room.hear(2);
  await room.notice('Good evening.');
  const visitor = await Visit.to(browser, `${node.stage}/console?room=${room.name}`, {
    origins: [node.origin],
  });
  await visitor.page.fill('[name=key]', KEY);
  await visitor.page.click('main button');
  await visitor.reads(/Bread and roses[^]*Live/);
  await visitor.page.waitForSelector('.plot canvas');
  await visitor.reads(/Good evening\./);
  await visitor.reads(/The operator went live/);
  assert.doesNotMatch(await visitor.page.innerText('.cards'), /[a-z]_[a-z]/, 'words of programs');
  await visitor.page.click('summary:has-text("The same as a table")');
  await visitor.page.waitForFunction(() => document.querySelectorAll('tbody tr').length > 1);
  await visitor.leave();
  await room.end();
});

test('what a page of the stage listener may do is said in its head, also for a room that is not', async () => {
  const room = await node.room();
  for (const [path, status] of [
    [`/${room.name}/stage`, 200],
    ['/console', 200],
    ['/no-such-room/stage', 404],
  ]) {
    const answer = await fetch(node.stage + path, {
      headers: { 'accept-encoding': 'br', 'accept-language': 'fr' },
    });
    const head = (name) => answer.headers.get(name);
    assert.equal(answer.status, status, path);
    assert.equal(head('content-encoding'), 'br');
    assert.equal(head('content-language'), 'fr');
    assert.match(head('content-security-policy'), /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(head('content-security-policy'), /unsafe/);
    assert.equal(head('referrer-policy'), 'no-referrer');
    assert.match(head('permissions-policy'), /^microphone=\(self\)/);
    const html = await answer.text();
    for (const [, asset] of html.matchAll(/"(\/assets\/(?:stage|console)\.[^"]+)"/g)) {
      const file = await fetch(node.stage + asset);
      assert.equal(file.status, 200, asset);
      assert.match(file.headers.get('cache-control'), /immutable/);
    }
  }
});
