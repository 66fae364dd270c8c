// What the tests of one file share: a node, a wire to it that can be cut, and a browser.

import { after, afterEach } from 'node:test';
import { RealNode } from './real-node.mjs';
import { launch } from './visit.mjs';
import { Wire } from './wire.mjs';

export let node, wire, browser;

/** Once for a file, before its tests. */
export async function begin() {
  node = await new RealNode().start();
  wire = await new Wire(node.origin).start();
  browser = await launch();
}

after(async () => {
  await browser?.close();
  await wire?.stop();
  await node?.stop();
});

afterEach(async () => {
  wire.mend();
  for (const context of browser.contexts()) await context.close();
});
