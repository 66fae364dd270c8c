// What the guard said, as a band above the evening: a colour, and the word where there is room for it. What
// is an attack is hatched, so that it is told without colours too.

import type uPlot from 'uplot';
import type { Kind } from '../wire/api';
import type { Say } from './console';
import type { Band } from './evening';

export const BAND_PX = 18;
const GAP_PX = 4;
const OURS_PX = 3;
const HATCH_PX = 8;

export interface BandColours {
  paper: string;
  soft: string;
  blue: string;
  wait: string;
  accent: string;
  voice: string;
}

interface Drawing {
  bands: Band[];
  say: Say;
  colours: BandColours;
  font: string;
}

export function drawBands(plot: uPlot, { bands, say, colours, font }: Drawing): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const high = BAND_PX * scale;
  const top = bbox.top - high - GAP_PX * scale;
  const at = (ms: number) =>
    Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(ms / 1000, 'x', true)));
  ctx.save();
  ctx.font = font.replace('12px', `600 ${12 * scale}px`);
  ctx.textBaseline = 'middle';
  for (const { fromMs, toMs, kind, isOurs } of bands) {
    const left = at(fromMs);
    const width = Math.max(scale, at(toMs) - left);
    const place = { left, top, width, high };
    fill(ctx, place, kind, colours);
    if (isOurs) {
      ctx.fillStyle = colours.wait;
      ctx.fillRect(left, top + high, width, OURS_PX * scale);
    }
    const word = say.say(`band_${kind}`);
    const wide = ctx.measureText(word).width + 10 * scale;
    if (wide > width) continue;
    ctx.fillStyle = back(kind, colours);
    ctx.fillRect(left, top, wide, high);
    ctx.fillStyle = colours.paper;
    ctx.fillText(word, left + 5 * scale, top + high / 2);
  }
  ctx.restore();
}

interface Place {
  left: number;
  top: number;
  width: number;
  high: number;
}

function fill(ctx: CanvasRenderingContext2D, place: Place, kind: Kind, colours: BandColours): void {
  const { left, top, width, high } = place;
  ctx.fillStyle = back(kind, colours);
  ctx.fillRect(left, top, width, high);
  if (kind !== 'attack' && kind !== 'both') return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, high);
  ctx.clip();
  ctx.beginPath();
  for (let x = left - high; x < left + width; x += HATCH_PX * devicePixelRatio) {
    ctx.moveTo(x, top + high);
    ctx.lineTo(x + high, top);
  }
  ctx.strokeStyle = kind === 'both' ? colours.blue : colours.paper;
  ctx.lineWidth = (kind === 'both' ? 3.5 : 1) * devicePixelRatio;
  ctx.stroke();
  ctx.restore();
}

function back(kind: Kind, { soft, blue, accent, voice }: BandColours): string {
  return { calm: voice, crowd: blue, attack: accent, both: accent, unknown: soft }[kind];
}
