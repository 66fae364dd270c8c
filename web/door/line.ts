// The visitor's place in line: a ticket drawn when they press, kept in the browser, asked after at the pace
// the node gives, and turned into a seat when it is called. What is shown of it stands in standing.ts.

import type { Door } from './door';
import { ring, tell, unlock } from './chime';
import { backoffMs } from '../wire/pace';
import { Place as Window } from '../wire/place';

/** Where a ticket stands, as `/{room}/place` says it. */
export interface PlaceSaid {
  /** False before the draw. */
  drawn: boolean;
  /** Its rank is known when its second is over. */
  settling?: boolean;
  rank?: number;
  /** People before it, and tickets. */
  ahead?: number;
  tickets_ahead?: number;
  eta_s?: [number, number] | null;
  called?: boolean;
  retry_after_s: number;
  retry_after_ms?: number;
}

/** A ticket as its holder has it, and where it stood when it was last heard of. */
export interface Held {
  ticket: string;
  secret: string;
  place?: PlaceSaid;
  /** Tickets before it when it first had a place. */
  from?: number;
}

/** Who plays the program. */
export interface Ear {
  /** There is a seat. */
  seated(): void;
  /** There will be one in a moment. */
  coming(): void;
  /** There is none for now. */
  waiting(): void;
}

export type Kind = 'none' | 'drawing' | 'waiting' | 'door' | 'seated' | 'elsewhere' | 'none_left';

/** Why a wait is not what it was. */
export interface Change {
  why: `${'cap' | 'fits'}_${'less' | 'more'}` | 'come' | 'stay';
  atMs: number;
}

const ANSWER_MS = 10_000;
/** A request that failed is made again within this, at random. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** A page that wakes up asks at once, but not twice within this. */
const AWAKE_MS = 2_000;
/** What the status says is followed within this, at random; the outcome of the draw by so many at once. */
const NEWS_MS = 1_000;
const DRAWN_PER_MS = 40;
/** So long after a change for the ticket the status is asked for as often as ever: caches may hold an old
 * one. */
const CHANGED_MS = 15_000;
/** The status is asked for at least so often. */
const PACE_MAX_MS = 60_000;
/** It is their turn and no seat is free; any other `503` is of a node that is too busy to say. */
const FULL = 'place_kept';
/** How the reason of a cap begins that the host has set. */
const BY_HOST = 'Set by the host';
/** Answers after which a ticket is worth nothing. */
const LOST = [400, 403, 404];

export class Line {
  kind: Kind = 'none';
  /** The visitor wants the sound as soon as there is a seat. */
  wants = false;
  place: PlaceSaid | undefined;
  change: Change | undefined;
  /** The ticket replaces one that was on no list any more. */
  anew = false;
  failures = 0;
  /** When it is asked again, in page time. */
  askMs = 0;
  /** When somebody who had waited was let in, in page time. */
  calledMs = 0;
  pass = '';
  held: Held | undefined;
  private waited = false;
  private busy = false;
  /** The status has told something, and the ticket's own answer is awaited. */
  private news = false;
  private lastMs = 0;
  private changedMs = 0;
  private timer = 0;
  private seen: { highS: number; cap: number; share: number; atMs: number } | undefined;
  private readonly key: string;
  private readonly window: Window;

  constructor(
    readonly door: Door,
    private readonly ear: Ear,
  ) {
    this.key = 'tribune.ticket.' + door.path.slice(1);
    this.window = new Window('tribune.seat.' + door.path.slice(1));
    this.held = read(this.key);
    const { place, kept } = door.given;
    this.place = kept ? (this.held?.place ?? place) : (place ?? this.held?.place);
    if (this.held || this.place) {
      this.kind = 'waiting';
      this.askIn(Math.random() * RETRY_FIRST_MS);
    }
    const wake = () => document.hidden || this.wake();
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('online', wake);
  }

  /** The visitor presses: from now on a free seat is taken, and what plays may sound. */
  come(): void {
    unlock(this.door.audio);
    this.wants = true;
    this.window.take();
    if (this.pass) return this.ear.seated();
    if (this.kind === 'none' || this.kind === 'none_left') this.kind = 'drawing';
    if (this.kind === 'elsewhere') this.kind = 'waiting';
    void this.ask();
  }

  /** The place stays; the sound does not begin by itself. */
  stay(): void {
    this.wants = false;
    this.window.leave();
    if (!this.held) this.kind = 'none';
  }

  /** The program was refused with this HTTP status, 0 for none; says whether that is the line's business. */
  refused(status: number): boolean {
    if (!this.pass || ![403, 409, 410].includes(status)) return false;
    this.pass = '';
    this.kind = status === 409 ? 'elsewhere' : 'waiting';
    this.place = undefined;
    if (status === 409) {
      this.stay();
      this.ear.waiting();
    } else {
      this.ear.coming();
      this.askIn(backoffMs(0));
    }
    return true;
  }

  /** The status may say that this ticket is called, or drawn, before its own next answer would. */
  follow(): void {
    const { place, kind, news } = this;
    if (kind !== 'waiting' || !place || place.called || news) return;
    const { draw, now_serving = 0, tickets = 0 } = this.door.status();
    const isDrawn = !place.drawn && typeof draw?.count === 'number';
    const isCalled = place.rank !== undefined && place.rank < now_serving;
    if (!isDrawn && !isCalled) return;
    this.news = true;
    const withinMs = isDrawn ? Math.max(NEWS_MS, tickets / DRAWN_PER_MS) : NEWS_MS;
    this.askIn(Math.min(this.askMs - Date.now(), Math.random() * withinMs));
  }

  /** How long the status may wait as well, in ms: who is far from their turn asks seldom. */
  paceMs(): number {
    const { place } = this;
    if (this.kind !== 'waiting' || !place || Date.now() - this.changedMs < CHANGED_MS) return 0;
    return Math.min(PACE_MAX_MS, paceMs(place));
  }

  /** The room is over. */
  end(): void {
    clearTimeout(this.timer);
    this.held = this.place = undefined;
    this.kind = 'none';
    this.wants = false;
    this.calledMs = 0;
    write(this.key, undefined);
  }

  private wake(): void {
    const asks = this.held && this.kind !== 'seated' && this.kind !== 'elsewhere';
    if (asks && Date.now() - this.lastMs > AWAKE_MS) void this.ask();
  }

  private askIn(ms: number): void {
    clearTimeout(this.timer);
    this.askMs = Date.now() + ms;
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    if (this.busy || this.door.status().state === 'ended') return;
    this.busy = true;
    this.lastMs = Date.now();
    try {
      if (!this.held) await this.draw();
      else if (this.mayClaim() && (await this.isHere())) await this.claim();
      else await this.look();
    } catch {
      this.retry();
    }
    this.busy = false;
    this.door.show();
  }

  private mayClaim(): boolean {
    return this.wants && (!this.place || !!this.place.settling || !!this.place.called);
  }

  /** Another window of this browser takes the seat, if it was pressed since. */
  private async isHere(): Promise<boolean> {
    if (!(await this.window.isTaken())) return true;
    this.wants = false;
    this.kind = 'elsewhere';
    return false;
  }

  private async draw(): Promise<void> {
    const answer = await this.send('ticket', {});
    if (!answer.ok) return this.turned(answer);
    this.failures = 0;
    const { ticket, secret }: Held = await answer.json();
    this.keep({ ticket, secret });
    this.kind = 'waiting';
    this.askIn(0);
  }

  private async look(): Promise<void> {
    const answer = await this.send(`place?ticket=${this.held!.ticket}`);
    if (!answer.ok) return this.turned(answer);
    this.stand(await answer.json());
  }

  private async claim(): Promise<void> {
    const { ticket, secret } = this.held!;
    const answer = await this.send('claim', { ticket, secret });
    if (answer.status === 202) return this.stand(await answer.json());
    if (!answer.ok) return this.turned(answer);
    const { pass }: { pass: string } = await answer.json();
    this.failures = 0;
    this.pass = pass;
    this.kind = 'seated';
    this.anew = false;
    if (this.waited) {
      this.calledMs = Date.now();
      ring();
      this.door.show();
      void tell(this.door);
    }
    this.waited = false;
    if (this.wants) this.ear.seated();
    this.door.poll();
  }

  private stand(place: PlaceSaid): void {
    this.failures = 0;
    this.news = false;
    this.compare(place);
    if (place.drawn !== this.place?.drawn || !!place.called !== !!this.place.called) {
      this.changedMs = Date.now();
      this.door.poll();
    }
    this.place = place;
    const from = this.held?.from ?? place.tickets_ahead;
    this.keep({ ...this.held!, place, ...(from === undefined ? {} : { from }) });
    if (this.kind !== 'elsewhere') this.kind = 'waiting';
    const isCalled = !!place.called;
    if (!isCalled && !place.settling) {
      this.waited = true;
      this.ear.waiting();
    }
    if (isCalled && !this.wants && this.waited) {
      this.waited = false;
      ring();
    }
    this.askIn(isCalled && this.wants ? 0 : paceMs(place));
  }

  /** No, for now or for good. */
  private turned(answer: Response): void {
    const { status } = answer;
    if (status === 410) return this.door.poll();
    if (LOST.includes(status)) {
      const lose = ({ code }: { code: string }) => this.lose(code);
      return void answer.json().then(lose, () => this.retry());
    }
    if (status === 503 && this.held && this.mayClaim()) {
      const full = ({ code }: { code: string }) =>
        code === FULL ? this.full(afterMs(answer)) : this.retry(afterMs(answer));
      return void answer.json().then(full, () => this.retry(afterMs(answer)));
    }
    if (status === 503 && !this.held && afterMs(answer) >= RETRY_MAX_MS) {
      this.kind = 'none_left';
      this.ear.waiting();
    }
    this.retry(afterMs(answer));
  }

  /** It is their turn, and every seat was taken just then. */
  private full(afterMs: number): void {
    this.failures = 0;
    this.waited = true;
    this.kind = 'door';
    this.ear.waiting();
    this.askIn(afterMs * (0.8 + Math.random() * 0.4));
    this.door.show();
  }

  /** The ticket is on no list: who waits by it gets a new one, who had it of another evening does not. */
  private lose(code: string): void {
    this.held = this.place = undefined;
    write(this.key, undefined);
    this.anew = code === 'ticket_not_listed' || code === 'ticket_expired';
    this.kind = this.wants || this.anew ? 'drawing' : 'none';
    if (this.kind === 'drawing') this.retry();
    this.door.show();
  }

  private retry(leastMs = 0): void {
    this.askIn(leastMs + backoffMs(this.failures++, { firstMs: RETRY_FIRST_MS, longestMs: RETRY_MAX_MS }));
  }

  private keep(held: Held): void {
    this.held = held;
    write(this.key, held);
  }

  /** Notes why the wait has changed, as far as the published figures tell. */
  private compare(place: PlaceSaid): void {
    const { seats, claim_ratio } = this.door.status();
    const [cap, share, atMs] = [seats?.cap ?? 0, claim_ratio ?? 1, Date.now()];
    const highS = place.eta_s?.[1] ?? 0;
    const before = this.seen;
    this.seen = { highS, cap, share, atMs };
    if (!before || place.called || !place.drawn) return;
    const expectedS = before.highS - (atMs - before.atMs) / 1000;
    const isLonger = before.highS && highS > expectedS * 1.25 + 60;
    const whose = seats?.cap_why.startsWith(BY_HOST) ? 'cap' : 'fits';
    const why =
      cap && before.cap && cap < before.cap * 0.9
        ? (`${whose}_less` as const)
        : before.cap && cap > before.cap * 1.1
          ? (`${whose}_more` as const)
          : isLonger && (share > before.share + 0.05 ? 'come' : 'stay');
    if (why) this.change = { why, atMs };
  }

  private send(what: string, body?: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', body: JSON.stringify(body), headers };
    const signal = AbortSignal.timeout(ANSWER_MS);
    return fetch(`${this.door.path}/${what}`, { ...(body && post), signal, cache: 'no-store' });
  }
}

function paceMs(place: PlaceSaid): number {
  return place.retry_after_ms ?? place.retry_after_s * 1000;
}

function afterMs(answer: Response): number {
  return 1000 * (Number(answer.headers.get('retry-after')) || 5);
}

function read(key: string): Held | undefined {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined;
  } catch {
    return undefined; // A browser that keeps nothing: the ticket lives with the page, and in its cookie.
  }
}

function write(key: string, held: Held | undefined): void {
  try {
    if (held) localStorage.setItem(key, JSON.stringify(held));
    else localStorage.removeItem(key);
  } catch {
    // The same.
  }
}
