// Calls of the node's API, as the pages of the stage listener make them: same origin, the cookie speaks for
// the visitor, and a refusal is a sentence of the node's own.

/** An answer that is not what was asked for: the node's refusal, or nothing at all when it is not reached. */
export class Refused extends Error {
  constructor(
    /** The refusal's code (docs: refusals); `unreachable` when no answer came. */
    readonly code: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The node's sentence. */
    says: string,
    readonly retryAfterS: number,
  ) {
    super(says);
  }
}

export type Role = 'listener' | 'speaker' | 'cohost' | 'host';
export type RoomState = 'scheduled' | 'boarding' | 'live' | 'ended';

/** One person as everybody on the stage sees them. */
export interface Person {
  id: string;
  name: string;
  role: Role;
  floor: 'none' | 'requested' | 'holds';
  muted: 'no' | 'self' | 'host';
  /** Connected by WebRTC. */
  here: boolean;
  speaking: boolean;
  sound: 'none' | 'good' | 'fair' | 'poor' | 'silent' | 'lost';
  echo: boolean;
  clipping: boolean;
}

export interface StageView {
  /** The caller's own id; null for one who is on no stage. */
  you: string | null;
  role: Role | 'operator';
  state: RoomState;
  people: Person[];
  requests: { id: string; name: string; since: string }[];
  sources: { name: string }[];
  limits: { people_max: number; requests_max: number };
}

export type Kind = 'calm' | 'crowd' | 'attack' | 'both' | 'unknown';
/** A share, at least and at most. */
export type Share = [number, number];

/** Whether a crowd came or an attack, as the node tells it. */
export interface Verdict {
  kind: Kind;
  /** The node's own errors are at fault for what is asked again. */
  self_inflicted: boolean;
  confidence: number;
  attack_share: { requests: Share; newcomers: Share; connection_seconds: Share };
  since: string | null;
  /** Sentences of the node's own, the heaviest first. */
  because: string[];
}

/** The part of a room's `status` that these pages read. */
export interface Status {
  room: string;
  title: string;
  state: RoomState;
  now: string;
  starts_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  seq: number;
  seats: {
    cap: number;
    cap_why: string;
    /** What the node was measured to carry; absent on older nodes. */
    measured?: number | null;
    taken: number;
    hls_estimate: number;
  };
  listening: number;
  /** People in line, and how fast it moves, in people a second; both absent on older nodes. */
  waiting?: number;
  rate?: { p50?: number | null };
  peak: number;
  replays: number;
  turned_away: number;
  program: { head: string | null; parts: number };
  notices: { at: string; text: string }[];
  /** Absent on older nodes, null in a node's first second. */
  verdict?: Verdict | null;
  tickets?: number;
  /** `count` is there once the draw was held. */
  draw?: { count?: number | null } | null;
  replay: { opus: string; m4a: string; hls: string; seal: string } | null;
}

/** As whom the cookie speaks. */
export interface SignedIn {
  operator: boolean;
  rooms: { room: string; role: Role; person: string; name: string | null }[];
  /** Whether this address can have passkeys. */
  passkeys?: boolean;
}

/** The view after somebody was removed. What they came by opens the stage for others too, and for them again,
 * as somebody new, until it is taken back. */
export interface Removed extends StageView {
  still_opens?: 'invitation' | 'key' | null;
  /** The invitation's. */
  id?: string;
  /** The key's role. */
  opens_as?: Role;
}

export interface Invitation {
  id: string;
  role: Role;
  label: string | null;
  link?: string;
}

/** One browser that is signed in to a room. */
export interface Seat {
  id: string;
  role: Role;
  name: string | null;
  since: string;
  seen: string;
  agent: string;
  you: boolean;
}

const PATIENCE_MS = 10_000;
/** Ending a room waits for its replay. */
export const END_PATIENCE_MS = 20_000;

let aheadMs = 0;

/** How far the node's clock is ahead of this device's, by the last answer's `Date` (whole seconds). */
export function serverAheadMs(): number {
  return aheadMs;
}

interface Ask {
  method?: string;
  body?: unknown;
  patienceMs?: number;
}

/** One call; what came back as JSON, `undefined` where there was nothing. */
export async function call<T>(path: string, ask: Ask = {}): Promise<T> {
  const { method = ask.body === undefined ? 'GET' : 'POST', body, patienceMs = PATIENCE_MS } = ask;
  const init: RequestInit = { method, signal: AbortSignal.timeout(patienceMs), cache: 'no-store' };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  const answer = await fetch(path, init).catch(() => {
    throw new Refused('unreachable', 0, '', 1);
  });
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (date) aheadMs = Math.abs(date - Date.now()) < 1_500 ? 0 : date - Date.now();
  const text = await answer.text().catch(() => '');
  if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
  throw refusalOf(answer, text);
}

/** What an answer says that is none of what was asked for. */
export function refusalOf(answer: Response, text: string): Refused {
  let said: { code?: string; message?: string; retry_after_s?: number } = {};
  try {
    said = JSON.parse(text);
  } catch {
    // A proxy's own page: the status is all there is.
  }
  const after = said.retry_after_s ?? Number(answer.headers.get('retry-after') ?? 0);
  return new Refused(said.code ?? 'unknown', answer.status, said.message ?? '', after || 0);
}

/** Calls about one room. */
export function roomCalls(room: string) {
  const at = (rest: string) => `/api/v1/rooms/${room}/${rest}`;
  const post = (rest: string, body: unknown = {}) => call<StageView>(at(rest), { body });
  return {
    view: () => call<StageView>(at('stage')),
    status: () => call<Status>(`/api/v1/rooms/${room}`),
    links: () => call<{ listen: string; stage: string }>(at('links')),
    floor: (act: 'request' | 'release') => post('floor/' + act),
    rule: (act: 'grant' | 'decline' | 'revoke', person: string) => post('floor/' + act, { person }),
    mute: (muted: boolean, person?: string) => post('mute', person ? { person, muted } : { muted }),
    remove: (person: string) => call<Removed>(at('remove'), { body: { person } }),
    role: (person: string, role: 'speaker' | 'cohost') => post('role', { person, role }),
    rename: (name: string) => call<void>(at('name'), { body: { name } }),
    live: () => call<Status>(at('live'), { body: {} }),
    end: () => call<Status>(at('end'), { body: {}, patienceMs: END_PATIENCE_MS }),
    cap: (cap: number | null, override = false) =>
      call<Status>(at('cap'), { body: override ? { cap, override } : { cap } }),
    notice: (text: string) => call<Status>(at('notice'), { body: { text } }),
    starts: (starts_at: string | null) =>
      call<Status>(`/api/v1/rooms/${room}`, { method: 'PATCH', body: { starts_at } }),
    recording: () => call<{ state: string; failing: { why: string } | null }>(at('recording')),
    invitations: () => call<unknown>(at('invitations')).then((said) => list<Invitation>(said, 'invitations')),
    invite: (role: 'speaker' | 'cohost', label?: string) =>
      call<Invitation>(at('invitations'), { body: label ? { role, label } : { role } }),
    renew: (role: Role) =>
      call<{ enter: Partial<Record<Role, string>> }>(at('keys'), { body: { roles: [role] } }),
    withdraw: (id: string) => call<void>(at('invitations/' + id), { method: 'DELETE' }),
    seats: () => call<unknown>(at('sessions')).then((said) => list<Seat>(said, 'sessions')),
    signOut: (id: string) => call<void>(at('sessions/' + id), { method: 'DELETE' }),
  };
}

export type RoomCalls = ReturnType<typeof roomCalls>;

/** A list that stands bare, or under its name. */
export function list<T>(said: unknown, name: string): T[] {
  const found = Array.isArray(said) ? said : (said as Record<string, unknown>)?.[name];
  return Array.isArray(found) ? (found as T[]) : [];
}

export const signedIn = () => call<SignedIn>('/api/v1/session');
export const signIn = (body: { room: string; key: string; name?: string } | { operator: string }) =>
  call<{ room?: string; role?: Role; person?: string; name?: string | null }>('/api/v1/session', { body });
export const signOut = () => call<void>('/api/v1/session', { method: 'DELETE' });
