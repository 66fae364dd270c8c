// The evening on one time axis (uPlot): who listened, how many could, who was turned away, and what happened.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Kind } from '../wire/api';
import { BAND_PX, drawBands, type BandColours } from './band';
import type { Say } from './console';
import type { Evening, Mark } from './evening';

const HEIGHT_PX = 300;
/** A capacity far above everything else would press the evening flat: then it is said instead of drawn. */
const CAP_DRAWN_TIMES = 4;
const LEAST = 5;
const REDRAW_MS = 1_000;

const KINDS: Kind[] = ['calm', 'crowd', 'attack', 'both', 'unknown'];

interface Colours extends BandColours {
  ink: string;
  rule: string;
}

export function Plot({ evening, say, known }: { evening: Evening; say: Say; known: number }) {
  const spot = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [scheme, turn] = useState(0);
  const isJudged = evening.points.some((one) => one.verdict);
  useEffect(() => {
    const place = spot.current!;
    const made = new uPlot(options(place, evening, say), data(evening), place);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
    watch.observe(place);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const again = () => turn((times) => times + 1);
    dark.addEventListener('change', again);
    const timer = setInterval(() => made.setData(data(evening)), REDRAW_MS);
    return () => {
      clearInterval(timer);
      dark.removeEventListener('change', again);
      watch.disconnect();
      made.destroy();
    };
  }, [evening, say.lang, scheme, isJudged]);
  useEffect(() => plot.current?.setData(data(evening)), [known, evening]);
  const most = mostOf(evening);
  const cap = evening.points.at(-1)?.cap ?? 0;
  return (
    <figure class="panel">
      <div class="plot" ref={spot} role="img" aria-label={say.say('evening_of')} />
      <figcaption class="soft">
        <span class="legend listening">{say.say('key_listening')}</span>
        {cap <= most * CAP_DRAWN_TIMES ? (
          <span class="legend capacity">{say.say('key_capacity')}</span>
        ) : (
          <span>{say.say('cap_above', { count: cap })}</span>
        )}
        {evening.points.some((one) => one.turnedAway > 0) && (
          <span class="legend turned">{say.say('key_turned_away')}</span>
        )}
        {isJudged && <BandKey evening={evening} say={say} />}
      </figcaption>
    </figure>
  );
}

/** What the colours above the plot mean, of those that are there. */
function BandKey({ evening, say }: { evening: Evening; say: Say }) {
  const said = evening.points.flatMap(({ verdict }) => verdict ?? []);
  return (
    <span class="bands">
      {say.say('key_bands')}
      {KINDS.filter((kind) => said.some((one) => one.kind === kind)).map((kind) => (
        <span key={kind} class={`legend band is-${kind}`}>
          {say.say(`band_${kind}`)}
        </span>
      ))}
      {said.some(({ isOurs }) => isOurs) && (
        <span class="legend turned">{say.say('band_ours')}</span>
      )}
    </span>
  );
}

function mostOf(evening: Evening): number {
  return Math.max(LEAST, ...evening.points.map((one) => one.listening));
}

/** Seconds, listening, seats, turned away; the last figures go on until now. */
function data(evening: Evening): uPlot.AlignedData {
  const [, toMs] = evening.span(Date.now());
  const points = [...evening.points];
  const last = points.at(-1);
  if (last && last.ms < toMs) points.push({ ...last, ms: toMs });
  const drawsCap = (last?.cap ?? 0) <= mostOf(evening) * CAP_DRAWN_TIMES;
  const turned = points.some((one) => one.turnedAway > 0);
  return [
    points.map((one) => one.ms / 1000),
    points.map((one) => one.listening),
    points.map((one) => (drawsCap ? one.cap : null)),
    points.map((one) => (turned ? one.turnedAway : null)),
  ];
}

function options(place: HTMLElement, evening: Evening, say: Say): uPlot.Options {
  const colours = coloursOf(place);
  const font = '12px ' + getComputedStyle(place).fontFamily;
  const steps = uPlot.paths.stepped!({ align: 1 });
  const axis = {
    stroke: colours.soft,
    font,
    grid: { stroke: colours.rule, width: 1 },
    ticks: { show: false },
  };
  const count = (_: uPlot, values: (number | null)[]) =>
    values.map((value) => (value === null || value % 1 ? '' : say.number(value)));
  const size = (_: uPlot, values: string[] | null) =>
    10 + 7.5 * Math.max(3, ...(values ?? []).map((value) => value.length));
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    padding: [evening.points.some((one) => one.verdict) ? BAND_PX + 8 : null, null, null, null],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: (_, from, to) => [from, Math.max(to, from + 60)] },
      y: { range: (_, __, most) => [0, Math.max(LEAST, most * 1.12)] },
      turned: { range: (_, __, most) => [0, Math.max(LEAST, most * 1.12)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        values: (_, at) => at.map((s) => time(say, s, at)),
        space: 70,
        size: 34,
      },
      { ...axis, values: count, size },
      { ...axis, values: count, size, side: 1, scale: 'turned', grid: { show: false }, stroke: colours.wait },
    ],
    series: [
      {},
      { stroke: colours.blue, width: 2.5, fill: colours.blue + '33', paths: steps, points: { show: false } },
      { stroke: colours.ink, width: 1.5, dash: [6, 4], paths: steps, points: { show: false } },
      { stroke: colours.wait, width: 2, paths: steps, points: { show: false }, scale: 'turned' },
    ],
    hooks: {
      draw: [
        (plot) => drawMarks(plot, { marks: evening.marks(), say, colours, font }),
        (plot) => drawBands(plot, { bands: evening.bands(Date.now()), say, colours, font }),
      ],
    },
  };
}

function time(say: Say, seconds: number, all: number[]): string {
  const isFine = all.length > 1 && all[1]! - all[0]! < 60;
  return isFine ? say.second(seconds * 1000) : say.clock(seconds * 1000);
}

interface Drawing {
  marks: Mark[];
  say: Say;
  colours: Colours;
  font: string;
}

/** A hair line where something happened, with a word where there is room for one. */
function drawMarks(plot: uPlot, { marks, say, colours, font }: Drawing): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = font.replace('12px', 12 * scale + 'px');
  ctx.textBaseline = 'top';
  let free = -Infinity;
  for (const { ms, kind } of marks) {
    const x = Math.round(plot.valToPos(ms / 1000, 'x', true));
    if (!(x >= bbox.left && x <= bbox.left + bbox.width)) continue;
    ctx.fillStyle = kind === 'notice' ? colours.wait : colours.accent;
    ctx.fillRect(x, bbox.top, scale, bbox.height);
    const word = say.say(`mark_${kind}`);
    const width = ctx.measureText(word).width + 10 * scale;
    if (x < free) continue;
    const left = x + width > bbox.left + bbox.width ? x - width : x + 5 * scale;
    ctx.fillText(word, left, bbox.top + 3 * scale);
    free = x + width;
  }
  ctx.restore();
}

function coloursOf(place: HTMLElement): Colours {
  const style = getComputedStyle(place);
  const read = (name: string) => style.getPropertyValue('--' + name).trim();
  return {
    ink: read('ink'),
    soft: read('soft'),
    rule: read('rule'),
    blue: read('blue'),
    wait: read('wait'),
    accent: read('accent'),
    paper: read('paper'),
    voice: read('voice'),
  };
}

/** The same figures for those who read, and for paper. */
export function Table({ evening, say }: { evening: Evening; say: Say }) {
  const { points } = evening;
  const step = Math.max(1, Math.ceil(points.length / 30));
  const shown = points.filter((_, i) => i % step === 0 || i === points.length - 1);
  const isJudged = points.some((one) => one.verdict);
  return (
    <details class="panel">
      <summary>{say.say('as_table')}</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={say.say('as_table')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say.say('at')}</th>
              <th scope="col">{say.say('listening')}</th>
              <th scope="col">{say.say('capacity')}</th>
              <th scope="col">{say.say('turned_away')}</th>
              {isJudged && <th scope="col">{say.say('key_verdict')}</th>}
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.ms}>
                <th scope="row">{say.second(one.ms)}</th>
                <td>{say.number(one.listening)}</td>
                <td>{say.number(one.cap)}</td>
                <td>{say.number(one.turnedAway)}</td>
                {isJudged && <td>{one.verdict && say.say(`band_${one.verdict.kind}`)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
