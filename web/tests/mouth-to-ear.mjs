// Mouth to ear between two Chromium pages through a node of our own: node tests/mouth-to-ear.mjs SECONDS
//
// One page's microphone is a file with a beep every half second, processed as the stage page has it processed. Both pages
// hear with an AudioWorklet and note by the machine's clock when a beep begins: one in what its microphone gives, the
// other in what comes back to it. Prints one line of JSON: what lies between, in ms. What devices buffer on either side
// is not in it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealNode } from './real-node.mjs';
import { launch } from './visit.mjs';

const RATE_HZ = 48_000;
const EVERY_MS = 500;
/** Beeps of a path that settles. */
const SETTLE_BEEPS = 10;
const seconds = Number(process.argv[2] ?? 30);

/** Seconds of beeps of 40 ms at 1 kHz as a WAV file, mono, 16 bit. */
function beeps(length) {
  const samples = new Int16Array(length * RATE_HZ);
  for (let from = 0; from < samples.length; from += (RATE_HZ * EVERY_MS) / 1000) {
    for (let at = 0; at < RATE_HZ / 25; at += 1) {
      samples[from + at] = 12_000 * Math.sin((2 * Math.PI * 1000 * at) / RATE_HZ);
    }
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE_HZ, 24);
  head.writeUInt32LE(RATE_HZ * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

/** Says when sound begins that is half as loud as the loudest lately, after at least 100 ms of less. */
const EAR = `registerProcessor('ear', class extends AudioWorkletProcessor {
  constructor() { super(); this.most = 0; this.quiet = 0; }
  process([[samples]]) {
    if (!samples) return true;
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    this.most = Math.max(this.most * 0.9998, peak);
    if (this.most > 0.01 && peak > this.most / 2) {
      if (this.quiet > sampleRate / 10) this.port.postMessage(Date.now());
      this.quiet = 0;
    } else this.quiet += samples.length;
    return true;
  }
});`;

const PAGE = `<!doctype html><title>A bare page</title><script type="module">
window.beeps = [];
const audio = new AudioContext({ sampleRate: ${RATE_HZ}, latencyHint: 'interactive' });
const hear = async (stream) => {
  await audio.audioWorklet.addModule('/ear.js');
  const ear = new AudioWorkletNode(audio, 'ear');
  ear.port.onmessage = ({ data }) => beeps.push(data);
  new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(ear).connect(audio.destination);
};
const silence = () => audio.createMediaStreamDestination().stream;
const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
window.join = async (url, key, speaks) => {
  window.connection = new RTCPeerConnection();
  const stream = speaks ? await navigator.mediaDevices.getUserMedia({ audio: wanted }) : silence();
  connection.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendrecv', streams: [stream] });
  if (speaks) await hear(stream);
  else connection.ontrack = ({ track }) => {
    const came = new MediaStream([track]);
    // Chromium lets what comes from afar into an AudioContext only while an element plays it too.
    Object.assign(window, { player: Object.assign(new Audio(), { srcObject: came, muted: true }) }).player.play();
    hear(came);
  };
  await connection.setLocalDescription();
  const headers = { authorization: 'Bearer ' + key, 'content-type': 'application/sdp' };
  const answer = await fetch(url, { method: 'POST', headers, body: connection.localDescription.sdp });
  if (answer.status !== 201) throw new Error(await answer.text());
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
};
/** The buffer of what came, in ms, by the browser's own count. */
window.buffered = async () => {
  const all = [...(await connection.getStats()).values()];
  const { jitterBufferDelay, jitterBufferEmittedCount } = all.find(({ type }) => type === 'inbound-rtp');
  return (jitterBufferDelay / jitterBufferEmittedCount) * 1000;
};
window.ready = true;
</script>`;

const folder = await mkdtemp(join(tmpdir(), 'tribune-mouth-'));
const file = join(folder, 'beeps.wav');
await writeFile(file, beeps(10));
const site = createServer((request, answer) => {
  const isEar = request.url === '/ear.js';
  answer.setHeader('content-type', isEar ? 'text/javascript' : 'text/html');
  answer.end(isEar ? EAR : PAGE);
});
await new Promise((done) => site.listen(0, '127.0.0.1', done));
const node = await new RealNode().start();
const browser = await launch([
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-audio-capture=${file}`,
]);

async function open(room, speaks) {
  const context = await browser.newContext({ permissions: ['microphone'] });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}`);
  await page.waitForFunction(() => window.ready);
  const url = `${node.stage}/${room.name}/whip`;
  await page.evaluate(([to, key, mouth]) => window.join(to, key, mouth), [url, room.key, speaks]);
  return page;
}

try {
  const room = await node.room();
  await room.act('live');
  const ear = await open(room, false);
  const mouth = await open(room, true);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  const said = await mouth.evaluate(() => window.beeps);
  const heard = await ear.evaluate(() => window.beeps);
  const between = said
    .slice(SETTLE_BEEPS)
    .map((from) => heard.find((at) => at > from) - from)
    .filter((ms) => ms < EVERY_MS)
    .sort((a, b) => a - b);
  const at = (part) => between[Math.min(between.length - 1, Math.floor(between.length * part))];
  const spread = { count: between.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  const buffered = Math.round(await ear.evaluate(() => window.buffered()));
  console.log(JSON.stringify({ measured: 'talk_chromium', mouth_to_ear_ms: spread, of_it_buffered_ms: buffered }));
} finally {
  await browser.close();
  site.close();
  await node.stop();
  await rm(folder, { recursive: true, force: true });
}
