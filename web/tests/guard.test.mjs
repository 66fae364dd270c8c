// The guard's panel on a real node: what is so, what the node does by itself against who breaks the rules, and that an
// operator takes it back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { KEY, RealNode } from './real-node.mjs';
import { Visit, launch } from './visit.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Connections at a time: some hundred requests a second, from one address of this machine's own. */
const ROWS = 4;
const FROM = '127.33.0.9';
/** On the machine itself whoever is answered is so at once. */
const ANSWERED_MS = 2000;
/** The status is asked for every five seconds. */
const RECEIPTS_MAX = 5;

let node, browser, room;

before(async () => {
  node = await new RealNode().start();
  room = await node.room();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await node?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** Asks once, whatever comes of it; comes back with how many bytes were answered. */
function ask(from, head) {
  const { hostname, port } = new URL(node.origin);
  return new Promise((done) => {
    let bytes = 0;
    const socket = connect({ host: hostname, port: Number(port), localAddress: from });
    socket.on('connect', () => socket.write(`${head}\r\nHost: a\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => (bytes += data.length));
    // Whoever is refused may be so at any moment; who knocks on though refused is not even accepted.
    socket.on('error', () => {});
    socket.setTimeout(ANSWERED_MS, () => socket.destroy());
    socket.on('close', () => done(bytes));
  });
}

/** Nonsense over and over, until told to stop. */
function flood() {
  let isOn = true;
  const row = async () => {
    while (isOn) await ask(FROM, 'NONSENSE');
  };
  const rows = Array.from({ length: ROWS }, row);
  return async () => {
    isOn = false;
    await Promise.all(rows);
  };
}

async function operator(context) {
  const visitor = await Visit.to(browser, `${node.stage}/console`, {
    origins: [new URL(node.origin).origin],
    context,
  });
  await visitor.page.fill('[name=key]', KEY);
  await visitor.page.click('main button');
  await visitor.page.waitForSelector('.ledger tbody');
  return visitor;
}

async function clean({ page }) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} px too wide`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
}

const said = async () => {
  const answer = await fetch(`${node.stage}/api/v1/guard`, { headers: { authorization: `Bearer ${KEY}` } });
  return answer.json();
};

test('a quiet node is calm, and its ledger is read', async () => {
  const visitor = await operator();
  await visitor.reads(/The guard says: calm\./);
  await visitor.reads(/Nothing\. Nobody is refused\./);
  await visitor.reads(/There is nothing to do\./);
  await visitor.page.selectOption('.ledger select', 'connections');
  const words = ['listeners', 'newcomers', 'our doing', 'unexplained', 'against the rules', 'put off', 'not told apart', 'all'];
  const rows = await visitor.page.$$eval('.ledger tbody tr', (all) => all.map((one) => one.cells[0].innerText));
  assert.deepEqual(rows, words);
  await ask('127.33.0.8', `GET /${room.name}`);
  await visitor.reads(/all\s+\d+\s+[1-9]/);
  await clean(visitor);
  await visitor.leave();
});

test('who breaks the rules again and again is refused, listed, and let in by the operator', async () => {
  const visitor = await operator({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' });
  const stop = flood();
  await visitor.reads(/The guard says: an attack\./);
  await visitor.reads(/127\.33\.0\.9 refused until/);
  await stop();
  assert.equal(await ask(FROM, `GET /${room.name}`), 0, 'nobody answers');
  await clean(visitor);
  await visitor.page.click(`[aria-label="Undo: let ${FROM} in again"]`);
  await visitor.reads(/127\.33\.0\.9 let in again/);
  while (!(await said()).acts[0].undone);
  while (!(await ask(FROM, `GET /${room.name}`)));
  await visitor.page.waitForFunction(() => !document.querySelector('.shut button'));
  await visitor.reads(/The guard says: calm\./);
  await clean(visitor);
  await visitor.leave();
});

test('a listener’s page shows that the program arrives, and the guard counts it', async () => {
  const heard = await node.room();
  await heard.live();
  const visitor = await Visit.to(browser, `${node.origin}/${heard.name}`);
  await visitor.page.click('#play');
  const shown = () => visitor.page.waitForResponse((answer) => 'tribune-heard' in answer.request().headers());
  const proofs = async (by) => {
    const text = await (await fetch(`${node.ops}/metrics`)).text();
    return Number(new RegExp(`tribune_guard_proofs_total{by="${by}"} (\\d+)`).exec(text)?.[1] ?? 0);
  };
  // What is shown is counted at the second's end: by the time of one of the next at the latest.
  for (let times = 0; times < RECEIPTS_MAX && !(await proofs('receipt')); times++) await shown();
  assert((await proofs('receipt')) >= 1);
  assert.equal(await proofs('false_receipt'), 0);
  assert((await proofs('acknowledged')) >= 6);
  await heard.end();
});

test('who comes is told in one sentence of an attack, and of our own fault', async () => {
  const attacked = await node.room();
  await attacked.live();
  const visitor = await Visit.to(browser, `${node.origin}/${attacked.name}`, {
    context: { viewport: { width: 360, height: 740 } },
  });
  let verdict = { kind: 'attack', self_inflicted: false };
  await visitor.page.route('**/status', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), verdict } });
  });
  await visitor.reads(/We are being attacked\. Who listens goes on listening/);
  await clean(visitor);
  verdict = { kind: 'crowd', self_inflicted: true };
  await visitor.reads(/The delay is our fault, not yours\./);
  assert.doesNotMatch(await visitor.page.innerText('main'), /attacked/);
  verdict = { kind: 'crowd', self_inflicted: false };
  await visitor.page.waitForFunction(() => !/our fault/.test(document.body.innerText));
  await attacked.end();
});
