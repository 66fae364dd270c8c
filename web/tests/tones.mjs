// Voices of one pitch each, and how much of a sound is at a pitch.

import { spawn } from 'node:child_process';

export const RATE_HZ = 48_000;
const VOICE_S = 4;
const LEVEL = 0.3;

/** A WAV file of a tone that swells and fades like syllables, so that no noise suppression takes it for a hum. */
export function voice(hz) {
  const samples = Buffer.alloc(RATE_HZ * VOICE_S * 2);
  for (let at = 0; at < RATE_HZ * VOICE_S; at++) {
    const seconds = at / RATE_HZ;
    const swell = 0.5 - 0.5 * Math.cos(2 * Math.PI * 3 * seconds);
    const sample = LEVEL * swell * Math.sin(2 * Math.PI * hz * seconds);
    samples.writeInt16LE(Math.round(sample * 32_767), at * 2);
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE_HZ, 24);
  head.writeUInt32LE(RATE_HZ * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

/** One second of a room's program, as ffmpeg hears it. */
export async function second(node, room) {
  const url = `${node.origin}/${room.name}/live.opus`;
  const args = ['-nostdin', '-v', 'error', '-i', url, '-t', '1', '-ac', '1', '-ar', `${RATE_HZ}`, '-f', 'f32le', '-'];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
}

/** The share of a sound's power that is at a pitch (Goertzel over pieces of 0.1 s). */
export function share(samples, hz) {
  const piece = RATE_HZ / 10;
  let [ofTone, ofAll] = [0, 0];
  for (let from = 0; from + piece <= samples.length; from += piece) {
    const turn = 2 * Math.cos((2 * Math.PI * hz) / RATE_HZ);
    let [before, last] = [0, 0];
    for (let at = from; at < from + piece; at += 1) {
      [before, last] = [last, samples[at] + turn * last - before];
      ofAll += samples[at] ** 2;
    }
    ofTone += (2 * (last ** 2 + before ** 2 - turn * last * before)) / piece;
  }
  return ofAll > 0 ? ofTone / ofAll : 0;
}
