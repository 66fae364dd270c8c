// Speakers in Chromium, from a bare page of another origin, against a node of our own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { RealNode } from './real-node.mjs';
import { Road } from './road.mjs';
import { second, share } from './tones.mjs';
import { PATIENCE_MS, launch } from './visit.mjs';

const WHIP = readFileSync(createRequire(import.meta.url).resolve('whip-whep/whip.js'), 'utf8');
/** What the page has besides the client: a tone as a track, and how much of what comes back is at a pitch. */
const PAGE = `<!doctype html><title>A bare page</title><script type="module">
import { WHIPClient } from '/whip.js';
const audio = new AudioContext();
window.tone = (hz) => {
  const oscillator = new OscillatorNode(audio, { frequency: hz });
  const to = audio.createMediaStreamDestination();
  oscillator.connect(new GainNode(audio, { gain: 0.2 })).connect(to);
  oscillator.start();
  return to.stream;
};
window.publish = async (url, key, hz) => {
  const connection = new RTCPeerConnection();
  const stream = tone(hz);
  connection.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly', streams: [stream] });
  const client = new WHIPClient();
  await client.publish(connection, url, key);
  return Object.assign(window, { connection, client });
};
/** Offers as any page may, and says that it takes requests for lost packets of Opus (RFC 4585). */
window.offer = async (hz) => {
  window.connection = new RTCPeerConnection();
  const stream = tone(hz);
  connection.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly', streams: [stream] });
  const { type, sdp } = await connection.createOffer();
  const taking = sdp.replace(/^a=rtpmap:(\\d+) opus\\/48000\\/2\\r\\n/m, '$&a=rtcp-fb:$1 nack\\r\\n');
  await connection.setLocalDescription({ type, sdp: taking });
  return connection.localDescription.sdp;
};
window.accept = (sdp) => connection.setRemoteDescription({ type: 'answer', sdp });
const report = async () =>
  [...(await connection.getStats()).values()].find(({ type }) => type === 'outbound-rtp') ?? { packetsSent: 0 };
/** What it says of its sending, once so many packets were sent. */
window.sent = (packets) =>
  new Promise((done) => {
    const look = setInterval(async () => {
      const told = await report();
      if (told.packetsSent < packets) return;
      clearInterval(look);
      done(told);
    }, 100);
  });
window.ready = true;
</script>`;

let node, browser, site, origin;

before(async () => {
  node = await new RealNode().start();
  browser = await launch(['--autoplay-policy=no-user-gesture-required']);
  site = createServer((request, answer) => {
    const isCode = request.url === '/whip.js';
    answer.setHeader('content-type', isCode ? 'text/javascript' : 'text/html');
    answer.end(isCode ? WHIP : PAGE);
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${site.address().port}`;
});

after(async () => {
  await browser?.close();
  site?.close();
  await node?.stop();
});

async function barePage() {
  const page = await (await browser.newContext()).newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.ready);
  return page;
}

async function heard(room, hz) {
  const until = Date.now() + PATIENCE_MS;
  let of = 0;
  while (of < 0.8) {
    assert.ok(Date.now() < until, `a tone of ${hz} Hz is not heard: its share is ${of}`);
    of = share(await second(node, room), hz);
  }
}

test('the npm package whip-whep publishes and stops', async () => {
  const room = await node.room();
  await room.act('live');
  const page = await barePage();
  const url = `${node.stage}/${room.name}/whip`;
  await page.evaluate(([to, key]) => window.publish(to, key, 440).then(() => {}), [url, room.key]);
  await heard(room, 440);
  await page.evaluate(() => client.stop());
  assert.equal(await page.evaluate(() => connection.connectionState), 'closed');
  await page.context().close();
});

test('Chromium sends again what a bursty road lost, when it says that it takes requests', async () => {
  const room = await node.room();
  await room.act('live');
  const page = await barePage();
  const offer = await page.evaluate(() => window.offer(440));
  assert.match(offer, /^a=rtcp-fb:111 nack\r$/m, 'Chromium keeps the line that says so');
  const answer = await fetch(`${node.stage}/${room.name}/whip`, {
    method: 'POST',
    headers: { authorization: `Bearer ${room.key}`, 'content-type': 'application/sdp' },
    body: offer,
  });
  assert.equal(answer.status, 201);
  const said = await answer.text();
  assert.match(said, /^a=rtcp-fb:111 nack\r$/m);
  const road = new Road({ share: 0.05, burst: 3, delay: 20, seed: 1 });
  try {
    await page.evaluate((sdp) => window.accept(sdp), await road.before(said));
    const { nackCount, retransmittedPacketsSent } = await page.evaluate(() => window.sent(500));
    const { lost, again } = road.counts;
    assert.ok(lost > 10 && again > 0.8 * lost, `${again} of ${lost} packets came again`);
    assert.ok(nackCount > 0 && retransmittedPacketsSent >= again, `${nackCount} requests`);
    await heard(room, 440);
  } finally {
    road.close();
  }
  await page.context().close();
});
