// The listener's page by TLS: it comes by HTTP/2, and the program by HTTP/1.1, which the browser sees to by itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RealNode } from './real-node.mjs';
import { Visit, launch } from './visit.mjs';

// The certificate is nobody's.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

let node, browser;

before(async () => {
  node = await new RealNode().start({ secure: true });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await node?.stop();
});

test('who came by HTTP/2 hears by HTTP/1.1 and notices nothing', async () => {
  const room = await node.room();
  await room.act('live');
  const context = { ignoreHTTPSErrors: true };
  const visitor = await Visit.to(browser, `${node.origin}/${room.name}`, { context });
  const page = await visitor.page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  assert.equal(page, 'h2');
  const session = await visitor.context.newCDPSession(visitor.page);
  const spoken = [];
  session.on('Network.responseReceived', ({ response }) => {
    if (/\/live\./.test(response.url)) spoken.push(`${response.protocol} ${response.status}`);
  });
  await session.send('Network.enable');
  await visitor.page.click('#play');
  await visitor.hears(2);
  assert.deepEqual(spoken, ['http/1.1 200']);
  await visitor.leave();
});
