// The console in a real browser: the operator's key, the rooms, one room's evening as its statuses tell it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { FakeStage, OPERATOR, guardSays, person, shut } from './fake-stage.mjs';
import { Visit, launch } from './visit.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let stage, kept, browser;

before(async () => {
  stage = await new FakeStage().start();
  kept = await earlierStatuses(stage);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stage?.stop();
  kept?.close();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  stage.rooms.clear();
  stage.guard = undefined;
});

/** The public listener, as far as the console asks it: every status of before, under its number. */
async function earlierStatuses(of) {
  const server = createServer((request, answer) => {
    const [, name, , seq] = request.url.split('/');
    const room = of.rooms.get(name);
    const earlier = room?.earlier?.(Number(seq));
    answer.writeHead(earlier ? 200 : 410, { 'access-control-allow-origin': '*' });
    answer.end(earlier && JSON.stringify(earlier));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  of.publicOrigin = `http://127.0.0.1:${server.address().port}`;
  return server;
}

const HOUR_MS = 3_600_000;
const ago = (ms) => new Date(Date.now() - ms).toISOString();

/** An evening an hour long: people came within minutes, some were turned away at the cap. */
export function evening(of, given = {}) {
  const room = of.room({
    state: 'live',
    starts_at: ago(HOUR_MS),
    started_at: ago(HOUR_MS - 120_000),
    seq: 400,
    listening: 4_870,
    peak: 5_000,
    turned_away: 812,
    replays: 0,
    program: { head: 'ab', parts: 10_875 },
    seats: { cap: 5_000, cap_why: 'The host set it.', taken: 4_871, hls_estimate: 0 },
    notices: [{ at: ago(1_500_000), text: 'We are ten minutes late because of us, not of you.' }],
    ...given,
  });
  room.earlier = (seq) => {
    const share = seq / 400;
    const came = Math.round(5_000 / (1 + Math.exp(-(share - 0.25) / 0.05)));
    const turned_away = Math.round(812 * Math.max(0, Math.min(1, (share - 0.4) / 0.3)));
    return { ...room.status, seq, now: ago((1 - share) * 1.1 * HOUR_MS), listening: came, turned_away };
  };
  room.people = [person('Ada Lovelace', { role: 'host' }), person('Jean Moulin')];
  room.audit = [
    { at: ago(600_000), by: 'host', name: 'Ada Lovelace', act: 'cap', outcome: 'done' },
    { at: ago(650_000), by: 'host', name: 'Ada Lovelace', act: 'mute', whom_name: 'Jean Moulin', outcome: 'done' },
    { at: ago(660_000), by: 'host', name: 'Ada Lovelace', act: 'invite_speaker', whom_name: 'For Jean', outcome: 'done' },
    { at: ago(670_000), by: 'speaker', name: 'Jean Moulin', act: 'passkey', whom_name: 'Jean Moulin', outcome: 'done' },
    { at: ago(700_000), by: 'cohost', act: 'end', outcome: 'role_too_low', message: 'The node’s words.' },
    { at: ago(710_000), by: 'cohost', act: 'remove', outcome: 'never_heard_of', message: 'The node’s words.' },
    { at: ago(HOUR_MS - 120_000), by: 'host', act: 'live', outcome: 'done' },
  ];
  return room;
}

async function operator(options) {
  const visitor = await Visit.to(browser, `${stage.origin}/console`, {
    origins: [stage.publicOrigin],
    ...options,
  });
  await visitor.page.fill('[name=key]', OPERATOR);
  await visitor.page.click('main button');
  await visitor.page.waitForSelector('h1:not(:has-text("Console"))');
  return visitor;
}

test('a wrong key is said in words', async () => {
  const visitor = await Visit.to(browser, `${stage.origin}/console`);
  await visitor.page.fill('[name=key]', 'not-the-key');
  await visitor.page.click('main button');
  await visitor.reads(/This is not the operator’s key/);
  await visitor.leave();
});

test('rooms stand in a list with what was measured, the live ones first', async () => {
  stage.room({ title: 'Tomorrow' });
  evening(stage);
  const visitor = await operator();
  await visitor.reads(/One room is live\.\s+4,870 people are listening in all/);
  await visitor.reads(
    /An evening conversation[^]*4,870 listening[^]*812 turned away[^]*5,000 seats[^]*Tomorrow/,
  );
  await visitor.reads(/The host set it\./);
  await visitor.reads(/Ada Lovelace \(host\) changed the seats/);
  await visitor.reads(/Ada Lovelace \(host\) muted Jean Moulin\n/);
  await visitor.reads(/Ada Lovelace \(host\) made a link for a speaker \(For Jean\)/);
  await visitor.reads(/Jean Moulin \(speaker\) made a passkey\n/);
  await visitor.reads(/A co-host ended the conversation · refused: their role may not do this/);
  await visitor.reads(/A co-host removed somebody · refused: The node’s words\./);
  assert.doesNotMatch(await visitor.page.innerText('main'), /verdict|waiting|arriv|disk left/i);
  await visitor.leave();
});

test('the evening before this page was opened is read from the statuses of then', async () => {
  evening(stage);
  const visitor = await operator();
  await visitor.page.waitForSelector('.plot canvas');
  await visitor.page.click('summary:has-text("The same as a table")');
  // The statuses come from the newest to the oldest; when the evening began, nobody had been turned away.
  await visitor.page.waitForFunction(() => document.querySelector('tbody tr')?.cells[3].innerText === '0');
  const rows = await visitor.page.$$eval('tbody tr', (all) =>
    all.map((one) => [...one.cells].map((cell) => cell.innerText).join(' ')),
  );
  assert.match(rows[0], /\d 5,000 0$/);
  assert.ok(rows.length > 20, String(rows.length));
  assert.match(rows.at(-1), /4,870 5,000 812$/);
  await visitor.leave();
});

/** Every word of the audit, as the node's sources have them. */
function auditWords() {
  const source = (path) => readFileSync(new URL('../../' + path, import.meta.url), 'utf8');
  const words = (text) => [...text.matchAll(/"([a-z_]+)"/g)].map(([, word]) => word);
  const arms = (path) => {
    const last = source(path).slice(source(path).lastIndexOf('pub const fn word'));
    return words(last.slice(0, last.indexOf('\n    }\n')));
  };
  const never = ['listen', 'send_sound', 'own_floor', 'see_stage', 'run_node', 'rename'];
  const acts = [...arms('core/src/room/role.rs'), ...arms('core/src/room/floor/said.rs')];
  const consts = ['api/sign_in.rs', 'api/passkeys/mod.rs', 'rooms/floor/task.rs'].flatMap((file) =>
    [...source('server/src/' + file).matchAll(/const [A-Z_]+: &str = "([a-z_]+)"/g)].map(([, word]) => word),
  );
  const made = ['api/manage.rs', 'api/sign_in.rs'].flatMap((file) =>
    [...source('server/src/' + file).matchAll(/Asked::of\(&who, "([a-z_]+)"/g)].map(([, word]) => word),
  );
  const taken = words(/pub fn takes_back[^]*?\n    }/.exec(source('server/src/api/audit.rs'))[0]);
  const all = new Set([...acts, ...consts, ...made, ...taken].filter((word) => !never.includes(word)));
  assert.ok(['come', 'uninvite_cohost', 'remove_passkey', 'sign_out', 'create', 'unmute'].every((one) => all.has(one)));
  return [...all];
}

test('every act that the audit knows has words in both languages', () => {
  const table = JSON.parse(readFileSync(new URL('../console/sentences.json', import.meta.url), 'utf8'));
  const unsaid = auditWords().filter((word) => !table['act_' + word]?.en || !table['act_' + word]?.fr);
  assert.deepEqual(unsaid, []);
});

test('what changes is told by events, without a reload', async () => {
  const room = evening(stage);
  const visitor = await operator();
  await visitor.reads(/4,870 listening/);
  Object.assign(room.status, { listening: 4_321, seq: 401 });
  room.people = [];
  room.show();
  await visitor.reads(/4,321 people are listening in all/);
  await visitor.reads(/Nobody is connected/);
  await visitor.leave();
});

test('a recording in trouble is said at once', async () => {
  const room = evening(stage);
  room.failing = { since: ago(60_000), why: 'no space left on the disk', lost_parts: 12 };
  const visitor = await operator();
  await visitor.reads(
    /It is not being recorded since [^:]+:\d\d: no space left on the disk\. 12 parts were lost/,
  );
  await visitor.leave();
});

test('another room is a key press away, and its address can be kept', async () => {
  evening(stage);
  const other = stage.room({ title: 'Tomorrow' });
  const visitor = await operator();
  await visitor.page.focus('.rooms li:nth-child(2) button');
  await visitor.page.keyboard.press('Enter');
  await visitor.page.waitForSelector('h2:has-text("Tomorrow")');
  assert.match(visitor.page.url(), new RegExp(`room=${other.name}`));
  await visitor.page.reload();
  await visitor.page.waitForSelector('h2:has-text("Tomorrow")');
  await visitor.leave();
});

/** A guard in the middle of an attack: two sources are refused, one was let in again. */
function attacked() {
  const because = [
    'In 10 s nobody who listens, comes or was refused explains 3,120 of 4,400 requests, and 220 broke the rules.',
    '38 of 412 newcomers became listeners: 7 to 12 %.',
  ];
  const attack_share = { requests: [0.713, 0.829], newcomers: [0.61, 0.93], connection_seconds: [0, 1] };
  const given = { because, attack_share, self_inflicted: true, confidence: 0.9 };
  const said = guardSays('attack', given, [120, 40, 8, 290, 22, 1_204, 0]);
  said.acts = [
    shut(0, '203.0.113.9', 240_000, { undone: true }),
    shut(1, '198.51.100.0', 190_000),
    shut(2, '2001:db8:7::', 20_000),
  ];
  return said;
}

test('the guard is read: what it says, why, how much of it, who was refused, what is to be done', async () => {
  evening(stage);
  stage.guard = attacked();
  const visitor = await operator();
  await visitor.reads(/The guard says: an attack\. Our own errors are at fault as well\.\s+90% sure, since/);
  await visitor.reads(/Why it says so[^]*explains 3,120 of 4,400 requests[^]*38 of 412 newcomers/);
  await visitor.reads(/71 to 83 %[^]*61 to 93 %[^]*nothing is known yet/);
  await visitor.reads(/2001:db8:7:: refused until[^]*198\.51\.100\.0 was refused until[^]*203\.0\.113\.9 let in again/);
  await visitor.reads(/It broke the rules 12 times within a minute/);
  await visitor.reads(/Undo lets a source in again[^]*“Verdict: attack”[^]*\/readyz[^]*“Our own fault”/);
  assert.equal(await visitor.page.locator('.shut button').count(), 2);
  await visitor.page.selectOption('.ledger select', 'handshakes');
  await visitor.reads(/unexplained\s+290\s+522,000[^]*all\s+1,684/);
  await visitor.page.setViewportSize({ width: 1280, height: 900 });
  const cells = await visitor.page.$$eval('.ledger tbody tr:first-child td', (all) =>
    all.filter((one) => one.offsetParent).length,
  );
  assert.equal(cells, 8, 'where there is room, all of it is seen');
  await visitor.leave();
});

test('what the guard did is taken back; what cannot be is said in a sentence', async () => {
  evening(stage);
  stage.guard = attacked();
  const visitor = await operator();
  await visitor.page.focus('[aria-label^="Undo: let 2001"]');
  await visitor.page.keyboard.press('Enter');
  await visitor.reads(/2001:db8:7:: let in again/);
  await visitor.reads(/2001:db8:7:: is let in again, and let be for as long as the server runs\./);
  assert.equal(stage.guard.acts[2].undone, true);
  assert.match(await visitor.page.evaluate(() => document.activeElement.innerText), /2001:db8:7::/);
  const [, act] = stage.guard.acts;
  await visitor.page.route('**/api/v1/guard', (route) => route.abort());
  await visitor.reads(/These figures are of before/);
  stage.guard.acts = [];
  await visitor.page.click(`[aria-label="Undo: let ${act.source} in again"]`);
  await visitor.reads(/This is so old that the server does not list it any more\./);
  await visitor.leave();
});

test('the guard that is not reached is said, and what it says next is read without a reload', async () => {
  evening(stage);
  stage.guard = guardSays('calm');
  const visitor = await operator();
  await visitor.reads(/The guard says: calm\.[^]*Nothing\. Nobody is refused\./);
  await visitor.page.route('**/api/v1/guard', (route) => route.abort());
  await visitor.reads(/These figures are of before/);
  stage.guard = guardSays('crowd');
  await visitor.page.unroute('**/api/v1/guard');
  await visitor.reads(/The guard says: a crowd\./);
  assert.doesNotMatch(await visitor.page.innerText('main'), /figures are of before/);
  await visitor.leave();
});

test('what the guard said in the course of the evening is a band above it', async () => {
  const room = evening(stage);
  const { earlier } = room;
  const verdict = (seq) => ({ ...guardSays(seq < 150 ? 'calm' : seq < 300 ? 'attack' : 'crowd').verdict, since: null });
  room.earlier = (seq) => ({ ...earlier(seq), verdict: verdict(seq) });
  room.status.verdict = verdict(400);
  const visitor = await operator();
  await visitor.reads(/The guard said:\s+calm\s+crowd\s+attack/);
  await visitor.page.click('summary:has-text("The same as a table")');
  await visitor.page.waitForFunction(() => /calm$/.test(document.querySelector('tbody tr')?.innerText));
  const said = await visitor.page.$$eval('.scroll tbody tr', (all) => all.map((one) => one.cells[4].innerText));
  assert.deepEqual(said.filter((one, i) => one !== said[i - 1]), ['calm', 'attack', 'crowd']);
  await visitor.leave();
});

test('axe finds nothing, light or dark, narrow or wide; nothing is wider than the page', async () => {
  for (const [colorScheme, locale, width] of [
    ['light', 'en-GB', 360],
    ['dark', 'fr-FR', 1280],
  ]) {
    const context = { colorScheme, locale, viewport: { width, height: 900 } };
    const clean = async ({ page }, state) => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${state} ${width}: ${wide} px too wide`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
      assert.deepEqual(found, [], `${state} ${colorScheme} ${locale}`);
    };
    const stranger = await Visit.to(browser, `${stage.origin}/console`, { context });
    await stranger.page.waitForSelector('[name=key]');
    await clean(stranger, 'door');
    await stranger.page.fill('[name=key]', 'not-the-key');
    await stranger.page.click('main button');
    await stranger.page.waitForSelector('[role=alert]');
    await clean(stranger, 'door, refused');
    await stranger.leave();
    const empty = await operator({ context });
    await clean(empty, 'no room');
    await empty.leave();
    const room = evening(stage);
    const visitor = await operator({ context });
    await visitor.page.waitForSelector('.plot canvas');
    await visitor.page.click('details summary');
    await clean(visitor, 'evening');
    room.failing = { since: ago(60_000), why: 'no space left on the disk', lost_parts: 12 };
    await visitor.page.reload();
    await visitor.page.waitForSelector('.cards [role=alert]');
    await clean(visitor, 'recording in trouble');
    await visitor.leave();
    for (const said of [attacked(), ...['calm', 'crowd', 'both', 'unknown'].map((kind) => guardSays(kind))]) {
      stage.guard = said;
      room.status.verdict = said.verdict;
      const guarded = await operator({ context });
      await guarded.page.waitForSelector('.ledger tbody');
      await clean(guarded, said.verdict.kind);
      await guarded.leave();
    }
    stage.guard = undefined;
    stage.rooms.clear();
  }
});
