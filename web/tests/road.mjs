// A road between a browser and the node: a relay for datagrams over UDP that loses packets of RTP in bursts, takes its
// time, and counts what is sent again.

import { createSocket } from 'node:dgram';

/** Numbers from a seed, evenly in 0..1 (mulberry32). */
const draws = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

/** RTP and not RTCP (RFC 5761, section 4), STUN or DTLS. */
const isRtp = (bytes) => bytes.length > 3 && bytes[0] >> 6 === 2 && ((bytes[1] & 0x7f) < 64 || (bytes[1] & 0x7f) > 95);

const bound = (socket) => new Promise((done) => socket.bind(0, '127.0.0.1', () => done(socket)));

export class Road {
  /** `share` of the packets is lost, `burst` in a row in the mean (Gilbert); each way takes `delay` ms. */
  constructor({ share, burst, delay, seed }) {
    Object.assign(this, { share, burst, delay, draw: draws(seed), isBad: false });
    this.counts = { sent: 0, lost: 0, again: 0 };
    this.lost = new Set();
  }

  /** Stands between a browser and the node that answered; the answer that comes back names the road instead. */
  async before(answer) {
    const [, host, port] = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+)/m.exec(answer);
    this.front = await bound(createSocket('udp4'));
    this.back = await bound(createSocket('udp4'));
    this.front.on('message', (bytes, from) => {
      this.browser = from;
      if (!isRtp(bytes) || this.passes(bytes)) this.later(() => this.back.send(bytes, Number(port), host));
    });
    this.back.on('message', (bytes) => this.later(() => this.front.send(bytes, this.browser.port, '127.0.0.1')));
    const own = this.front.address().port;
    return answer
      .replace(/^(a=candidate:\S+ 1 udp \d+) \S+ \d+/gm, `$1 127.0.0.1 ${own}`)
      .replace(/^a=candidate:\S+ 1 tcp .*\r\n/gm, '');
  }

  passes(bytes) {
    const number = bytes.readUInt16BE(2);
    this.counts.sent += 1;
    if (this.lost.delete(number)) this.counts.again += 1;
    const into = this.share / (1 - this.share) / this.burst;
    this.isBad = this.draw() < (this.isBad ? 1 - 1 / this.burst : into);
    if (!this.isBad) return true;
    this.counts.lost += 1;
    this.lost.add(number);
    return false;
  }

  later(send) {
    setTimeout(() => {
      if (!this.isClosed) send();
    }, this.delay);
  }

  close() {
    this.isClosed = true;
    this.front?.close();
    this.back?.close();
  }
}
