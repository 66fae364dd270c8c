// The console's state, in one place: the rooms of this node, and one room's evening as its statuses tell it.

import {
  list,
  Refused,
  call,
  serverAheadMs,
  signIn,
  signOut,
  signedIn,
  type StageView,
  type Status,
} from '../wire/api';
import { Events } from '../wire/events';
import { pageLang, turnTo, words, type Lang, type Words } from '../look/words';
import { Evening } from './evening';
import table from './sentences.json';
import { Watch } from './watch';

export type Say = Words<typeof table>;

/** A room in the list. */
export interface Row {
  room: string;
  title: string;
  state: Status['state'];
  starts_at: string | null;
  started_at: string | null;
  /** Not known for a room that ended before this page was opened. */
  status?: Status;
}

export interface Recording {
  state: string;
  seconds: number;
  bytes: number;
  failing: { since: string; why: string; lost_parts: number } | null;
}

export interface Act {
  at: string;
  by: string;
  name?: string | null;
  /** To whom, or an invitation's label. */
  whom_name?: string | null;
  act: string;
  outcome: string;
  /** What a refusal means, in the node's words. */
  message?: string | null;
}

export interface State {
  screen: 'opening' | 'door' | 'rooms';
  say: Say;
  passkeys: boolean;
  rooms: Row[];
  /** The room that is looked at. */
  room: string;
  status: Status | undefined;
  view: StageView | undefined;
  recording: Recording | undefined;
  acts: Act[];
  isTold: boolean;
  isReached: boolean;
  refusal: string;
  news: string;
}

const LIST_EVERY_MS = 5_000;
const SLOW_EVERY_MS = 15_000;
const RETRY_MS = 2_000;
/** Rooms whose figures are asked for; the others stand in the list without. */
const ROOMS_ASKED_MAX = 24;
const ORDER = { live: 0, boarding: 1, scheduled: 2, ended: 3 };

export class Console {
  readonly publicBase: string;
  readonly version: string;
  evening = new Evening('', '');
  /** What the guard says of the whole node. */
  readonly watch = new Watch(() => this.change({}));
  state: State = {
    screen: 'opening',
    say: words(table, pageLang()),
    passkeys: false,
    rooms: [],
    room: '',
    status: undefined,
    view: undefined,
    recording: undefined,
    acts: [],
    isTold: true,
    isReached: true,
    refusal: '',
    news: '',
  };
  private events: Events | undefined;
  private drawn = false;

  constructor(
    root: HTMLElement,
    private readonly draw: () => void,
  ) {
    this.publicBase = root.dataset['public'] ?? '';
    this.version = root.dataset['version'] ?? '';
  }

  change(patch: Partial<State>): void {
    Object.assign(this.state, patch);
    if (this.drawn) return;
    this.drawn = true;
    queueMicrotask(() => {
      this.drawn = false;
      this.draw();
    });
  }

  begin(): void {
    setInterval(() => void this.lookRooms(), LIST_EVERY_MS);
    setInterval(() => void this.lookSlow(), SLOW_EVERY_MS);
    void this.recognise();
  }

  speak(lang: Lang): void {
    turnTo(lang);
    this.change({ say: words(table, lang) });
  }

  async recognise(): Promise<void> {
    try {
      const who = await signedIn();
      this.change({ passkeys: !!who.passkeys, screen: who.operator ? 'rooms' : 'door' });
      if (who.operator) this.watch.begin();
      await this.lookRooms();
    } catch (error) {
      this.change({ refusal: this.sentence(error) });
      setTimeout(() => void this.recognise(), RETRY_MS);
    }
  }

  async enter(key: string): Promise<void> {
    await this.wish(signIn({ operator: key.trim() }).then(() => this.recognise()));
  }

  async goOut(): Promise<void> {
    this.events?.close();
    this.events = undefined;
    this.watch.stop();
    await this.wish(signOut());
    this.change({ screen: 'door', rooms: [], room: '', status: undefined });
  }

  async wish(done: Promise<unknown>, news = ''): Promise<void> {
    try {
      await done;
      this.change({ refusal: '', news });
    } catch (error) {
      this.change({ refusal: this.sentence(error) });
    }
  }

  clockOffS(): number {
    return Math.round(Math.abs(serverAheadMs()) / 1000);
  }

  /** Turns to one room. */
  look(room: string): void {
    if (room === this.state.room) return;
    const url = new URL(location.href);
    url.searchParams.set('room', room);
    history.replaceState(null, '', url);
    this.events?.close();
    this.change({ room, status: undefined, view: undefined, recording: undefined, acts: [] });
    const evening = new Evening(this.publicBase, room);
    this.evening = evening;
    this.events = new Events({
      url: `/api/v1/rooms/${room}/events`,
      told: {
        status: (data) => evening === this.evening && this.take(JSON.parse(data)),
        stage: (data) => this.change({ view: JSON.parse(data) }),
      },
      opened: () => this.change({ isTold: true }),
      lost: () => this.lost(),
    });
    void this.lookSlow();
  }

  private take(status: Status): void {
    const isFirst = !this.state.status;
    this.evening.add(status);
    const rooms = this.state.rooms.map((row) =>
      row.room === status.room ? { ...row, ...fresh(status) } : row,
    );
    this.change({ status, rooms });
    if (isFirst) void this.evening.remember(status, () => this.change({}));
  }

  private async lost(): Promise<boolean> {
    this.change({ isTold: false });
    const who = await signedIn().catch(() => undefined);
    if (who && !who.operator) this.change({ screen: 'door' });
    return !who || who.operator;
  }

  private async lookRooms(): Promise<void> {
    if (this.state.screen !== 'rooms') return;
    try {
      const rows = list<Row>(await call('/api/v1/rooms'), 'rooms');
      rows.sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.title.localeCompare(b.title));
      const known = new Map(this.state.rooms.map((row) => [row.room, row.status]));
      const rooms = await Promise.all(rows.map((row, i) => this.withStatus(row, known.get(row.room), i)));
      this.change({ rooms, isReached: true });
      const wanted = new URL(location.href).searchParams.get('room');
      const first = rooms.find((row) => row.room === wanted) ?? rooms[0];
      if (!this.state.room && first) this.look(first.room);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.change({ screen: 'door' });
      else this.change({ isReached: false });
    }
  }

  private async withStatus(row: Row, known: Status | undefined, i: number): Promise<Row> {
    const isSettled = known?.state === 'ended' || i >= ROOMS_ASKED_MAX || row.room === this.state.room;
    const status = isSettled ? known : await call<Status>(`/api/v1/rooms/${row.room}`).catch(() => known);
    return status ? { ...row, status } : row;
  }

  /** What changes slowly and does not come by itself. */
  private async lookSlow(): Promise<void> {
    const { room, screen } = this.state;
    if (!room || screen !== 'rooms') return;
    const at = `/api/v1/rooms/${room}/`;
    const [recording, audit] = await Promise.all([
      call<Recording>(at + 'recording').catch(() => undefined),
      call<unknown>(at + 'audit').catch(() => undefined),
    ]);
    if (room === this.state.room) this.change({ recording, acts: list<Act>(audit, 'audit') });
  }

  /** What a refusal means, for people. */
  sentence(error: unknown): string {
    const { say } = this.state.say;
    if ((error as Error).name === 'NotAllowedError') return say('passkey_cancelled');
    if (!(error instanceof Refused)) return String((error as Error).message || error);
    if (error.code === 'unreachable') return say('unreachable');
    const own = ('refused_' + error.code) as keyof typeof table;
    return own in table ? say(own) : error.message || say('refused', { status: error.status });
  }
}

function fresh(status: Status) {
  const { state, title, starts_at, started_at } = status;
  return { state, title, starts_at, started_at, status };
}
