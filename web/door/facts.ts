// What the page says about a room, from its `status`: every value the template names, written out for one
// language. The same rules, without the visitor's time zone, stand in server/src/page.rs.

import type { Values } from './fill';

/** The part of `status` (docs: the public wire) that the page reads. */
export interface Status {
  title: string;
  state: 'scheduled' | 'boarding' | 'live' | 'ended';
  now: string;
  starts_at?: string | null;
  /** When the doors open for hold sound, if the host announced it. */
  opens_at?: string | null;
  /** The announced zone, an IANA name or an offset such as +01:00. */
  zone?: string | null;
  started_at?: string | null;
  ended_at?: string | null;
  /** Seats in all and taken. */
  seats?: { cap: number; cap_why: string; taken: number };
  /** Tickets issued. */
  tickets?: number;
  /** Ranks below this are called. */
  now_serving?: number;
  /** When places are put in order by lot, and how many were. */
  draw?: { at: string; count?: number | null } | null;
  claim_ratio?: number | null;
  rate?: { eta_hit_rate?: number | null };
  ladder?: { step: number };
  /** The program half a minute late, without a seat. */
  late?: { state: 'soon' | 'open' | 'full'; behind_s: [number, number] } | null;
  /** What the guard says: a crowd, an attack, or our own fault. */
  verdict?: { kind: 'calm' | 'crowd' | 'attack' | 'both' | 'unknown'; self_inflicted: boolean };
  listening?: number;
  peak?: number;
  replays?: number;
  program?: { head: string | null; parts: number } | null;
  notices?: { at: string; text: string }[];
  replay?: { opus: string; m4a: string; hls: string; seal: string; redactions?: number } | null;
  /** Where the report of the evening is, once its host has published it. */
  report?: string | null;
  /** The page's own address, written by the server into the page. */
  url?: string;
}

/** How many of the latest notices are shown. */
const NOTICES_SHOWN = 3;

/** How things are written where the visitor is. */
export interface Place {
  locale: string;
  zone?: string;
  /** The letter for a day in a duration. */
  day: string;
}

export function facts(status: Status, nowMs: number, place: Place): Values {
  const { state } = status;
  const startsMs = status.starts_at ? Date.parse(status.starts_at) : NaN;
  const leftS = Math.ceil((startsMs - nowMs) / 1000);
  const scheduled = state === 'scheduled';
  const late = scheduled && leftS <= 0;
  const startedMs = status.started_at ? Date.parse(status.started_at) : NaN;
  const endedMs = status.ended_at ? Date.parse(status.ended_at) : NaN;
  const drawMs = scheduled && status.draw ? Date.parse(status.draw.at) : NaN;
  const number = (count: number | undefined) => (count ?? 0).toLocaleString(place.locale);
  const begins = state === 'ended' && startedMs ? startedMs : startsMs;
  const notices = (status.notices ?? []).slice(-NOTICES_SHOWN).reverse();
  return {
    title: status.title,
    [state]: true,
    open: state === 'boarding' || state === 'live',
    ahead: state !== 'ended',
    refresh: scheduled ? '20' : '',
    late,
    early: scheduled && !late,
    when: begins ? day(begins, place) : '',
    there: there(begins, status.zone || 'UTC', place),
    opens:
      status.opens_at && Date.parse(status.opens_at) > nowMs ? clock(Date.parse(status.opens_at), place) : '',
    countdown: leftS > 0 ? duration(leftS, place) : '',
    draw_at: drawMs > nowMs ? clock(drawMs, place) : '',
    crowded: isCrowded(status),
    since: state === 'live' && startedMs ? clock(startedMs, place) : '',
    lasted: startedMs ? duration((nowMs - startedMs) / 1000, place, true) : '',
    length: startedMs && endedMs ? duration((endedMs - startedMs) / 1000, place) : '',
    listening: number(status.listening),
    peak: number(status.peak),
    replays: number(status.replays),
    parts: status.program?.parts ? number(status.program.parts) : '',
    any_notice: notices.length > 0,
    notices: notices.map(({ at, text }): Values => ({ at: clock(Date.parse(at), place), text })),
    replay: !!status.replay,
    cut: !!status.replay?.redactions,
  };
}

/** Whoever comes now waits: the number that is called has not got to the next ticket. */
function isCrowded({ seats, tickets = 0, now_serving = 0, draw }: Status): boolean {
  const isFull = !!seats && seats.taken >= seats.cap;
  return isFull || (draw?.count != null && tickets > 0 && now_serving <= tickets);
}

/** `3 d 4 h`, `1 h 12 min`, `4 min 05 s`, `12 s`: the two largest units. */
export function duration(seconds: number, place: Place, coarse = false): string {
  const s = Math.max(0, Math.floor(seconds));
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d} ${place.day} ${h} h`;
  if (h) return `${h} h ${two(m)} min`;
  if (coarse) return `${m} min`;
  return m ? `${m} min ${two(s % 60)} s` : `${s} s`;
}

function two(count: number): string {
  return String(count).padStart(2, '0');
}

export function clock(ms: number, place: Place): string {
  return write(ms, place, { hour: 'numeric', minute: '2-digit' });
}

function day(ms: number, place: Place): string {
  return write(ms, place, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: 'numeric',
    minute: '2-digit',
  });
}

/** The same moment in the announced zone, where its clock shows something else. */
function there(ms: number, zone: string, place: Place): string {
  if (!ms) return '';
  const form: Intl.DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit' };
  try {
    const announced = write(ms, { ...place, zone }, form);
    if (announced === write(ms, place, form)) return '';
    const city = zone.split('/').slice(1).pop()?.replaceAll('_', ' ');
    if (city) return write(ms, { ...place, zone }, { ...form, weekday: 'long' }) + ` (${city})`;
    return write(ms, { ...place, zone }, { ...form, weekday: 'long', timeZoneName: 'short' });
  } catch {
    return ''; // A zone this browser does not know: the visitor's own time stands alone.
  }
}

function write(ms: number, place: Place, form: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(place.locale, place.zone ? { ...form, timeZone: place.zone } : form).format(
    ms,
  );
}
