// One room's evening, from its statuses: those that come, and those of before, which the public listener
// keeps under their numbers. Nothing stands here that no status has said.

import type { Kind, Status } from '../wire/api';

export interface Point {
  ms: number;
  listening: number;
  cap: number;
  turnedAway: number;
  /** What the guard said; nothing on older nodes. */
  verdict: { kind: Kind; isOurs: boolean; sinceMs: number } | undefined;
}

/** While one verdict held. */
export interface Band {
  fromMs: number;
  toMs: number;
  kind: Kind;
  /** Our own errors were at fault as well. */
  isOurs: boolean;
}

export interface Mark {
  ms: number;
  kind: 'announced' | 'started' | 'ended' | 'notice';
  text: string;
}

/** Statuses of before that are asked for, evenly over the evening. */
const REMEMBERED = 96;
/** Asked for at a time. */
const AT_ONCE = 4;
const POINTS_MAX = 4_000;
/** Statuses come when something changes: a line goes on level until the next, drawn up to now. */
const PATIENCE_MS = 5_000;

export class Evening {
  points: Point[] = [];
  private newest: Status | undefined;

  constructor(
    private readonly publicBase: string,
    private readonly room: string,
  ) {}

  add(status: Status): void {
    this.newest = status;
    this.put(status);
  }

  /** Fetches what was before `newest`; `told` after each few. */
  async remember(newest: Status, told: () => void): Promise<void> {
    const step = Math.max(1, Math.ceil(newest.seq / REMEMBERED));
    const wanted: number[] = [];
    for (let seq = newest.seq - step; seq >= 0; seq -= step) wanted.push(seq);
    while (wanted.length) {
      const some = await Promise.all(wanted.splice(0, AT_ONCE).map((seq) => this.fetch(seq)));
      const found = some.filter((one) => one !== undefined);
      if (!found.length) return; // Not kept any longer, and what is older neither.
      for (const status of found) this.put(status);
      told();
    }
  }

  marks(): Mark[] {
    const { newest } = this;
    if (!newest) return [];
    const marks: Mark[] = [];
    const mark = (at: string | null, kind: Mark['kind'], text = '') =>
      at && marks.push({ ms: Date.parse(at), kind, text });
    mark(newest.starts_at, 'announced');
    mark(newest.started_at, 'started');
    mark(newest.ended_at, 'ended');
    for (const { at, text } of newest.notices) mark(at, 'notice', text);
    return marks.sort((a, b) => a.ms - b.ms);
  }

  /** From the first figure to now, or to the end. */
  span(nowMs: number): [number, number] {
    const first = this.points[0]?.ms ?? nowMs;
    const ended = this.newest?.ended_at;
    return [first, ended ? Math.max(Date.parse(ended), first) : nowMs];
  }

  /** What the guard said, from when to when. */
  bands(nowMs: number): Band[] {
    const [, endMs] = this.span(nowMs);
    const bands: Band[] = [];
    let last: Band | undefined;
    for (const [i, { ms, verdict }] of this.points.entries()) {
      const toMs = this.points[i + 1]?.ms ?? Math.max(ms, endMs);
      if (!verdict) {
        last = undefined;
        continue;
      }
      const { kind, isOurs, sinceMs } = verdict;
      if (last?.kind === kind && last.isOurs === isOurs) {
        last.toMs = toMs;
        continue;
      }
      // A verdict began between two statuses: the second says when.
      const beforeMs = this.points[i - 1]?.ms ?? ms;
      const fromMs = last && last.kind !== kind ? Math.min(ms, Math.max(sinceMs, beforeMs)) : ms;
      if (last) last.toMs = fromMs;
      last = { fromMs, toMs, kind, isOurs };
      bands.push(last);
    }
    return bands;
  }

  private put(status: Status): void {
    const { kind, self_inflicted, since } = status.verdict ?? {};
    const point: Point = {
      ms: Date.parse(status.now),
      listening: status.listening,
      cap: status.seats.cap,
      turnedAway: status.turned_away,
      verdict: kind && { kind, isOurs: !!self_inflicted, sinceMs: Date.parse(since ?? status.now) },
    };
    let at = this.points.length;
    while (at > 0 && this.points[at - 1]!.ms > point.ms) at--;
    if (this.points[at - 1]?.ms === point.ms) this.points[at - 1] = point;
    else this.points.splice(at, 0, point);
    if (this.points.length > POINTS_MAX) this.points = this.points.filter((_, i) => i % 2 === 0);
  }

  private async fetch(seq: number): Promise<Status | undefined> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(`${this.publicBase}/${this.room}/status/${seq}`, { signal }).catch(
      () => undefined,
    );
    return answer?.ok ? answer.json().catch(() => undefined) : undefined;
  }
}
