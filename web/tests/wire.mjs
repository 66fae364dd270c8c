// The wire between the browser and the node, which a test can cut, hold and mend: the same for a fake and a
// real node.

import { connect, createServer } from 'node:net';

export class Wire {
  constructor(origin) {
    const { hostname, port } = new URL(origin);
    this.target = { host: hostname, port: Number(port) };
    this.pairs = new Set();
    this.isCut = false;
    this.isHeld = false;
    this.server = createServer((near) => this.join(near));
  }

  async start() {
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  join(near) {
    if (this.isCut) return near.destroy();
    const far = connect(this.target);
    const pair = [near, far];
    const end = () => {
      this.pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    this.pairs.add(pair);
    near.pipe(far);
    far.on('data', (bytes) => this.isHeld || near.write(bytes));
    for (const socket of pair) socket.on('close', end).on('error', end);
  }

  /** Every connection breaks, and new ones are refused. */
  cut() {
    this.isCut = true;
    for (const [near] of [...this.pairs]) near.destroy();
  }

  /** Connections stand, but nothing more comes through those that do. */
  hold() {
    this.isHeld = true;
  }

  /** New connections work again; what was held back stays lost. */
  mend() {
    this.isCut = this.isHeld = false;
  }

  async stop() {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }
}
