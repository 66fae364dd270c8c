// The picture that travels with a shared link (Open Graph): the stands around a speaker, drawn here so that
// no binary file has to be kept.

import { deflateSync } from 'node:zlib';

const WIDTH = 1200;
const HEIGHT = 630;
const PAPER = [251, 250, 247];
const INK = [27, 26, 23];
const RULE = [220, 215, 203];
const ACCENT = [179, 38, 30];
const CENTRE = [WIDTH / 2, 455];
/** Radius, thickness, colour of each row of seats, from the front. */
const ROWS = [
  [120, 16, INK],
  [190, 16, INK],
  [260, 16, INK],
  [330, 16, RULE],
  [400, 16, RULE],
];
const SPEAKER_RADIUS = 44;

/** How much of a pixel at `distance` from an edge is inside: a soft edge of one pixel. */
const inside = (distance) => Math.min(1, Math.max(0, 0.5 - distance));

const over = (under, colour, share) =>
  under.map((value, i) => Math.round(value + (colour[i] - value) * share));

function pixel(x, y) {
  const [dx, dy] = [x - CENTRE[0], y - CENTRE[1]];
  const radius = Math.hypot(dx, dy);
  let colour = over(PAPER, ACCENT, inside(radius - SPEAKER_RADIUS));
  for (const [row, thickness, ink] of ROWS) {
    const edge = Math.max(Math.abs(radius - row) - thickness / 2, dy - 1);
    colour = over(colour, ink, inside(edge));
  }
  for (const rule of [560, 568])
    colour = over(colour, INK, x > 80 && x < WIDTH - 80 ? inside(Math.abs(y - rule) - 1) : 0);
  return colour;
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(checksum(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

function checksum(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** The card as a PNG. */
export function card() {
  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      rows.set(pixel(x, y), y * (1 + WIDTH * 3) + 1 + x * 3);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(WIDTH, 0);
  head.writeUInt32BE(HEIGHT, 4);
  head.set([8, 2, 0, 0, 0], 8); // 8 bits a channel, RGB, no interlace.
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
