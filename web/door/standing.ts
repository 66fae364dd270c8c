// What the page says of the visitor's place: every value that line.html and the title name. Without a script
// the node says the same (server/src/page/place.rs).

import { clock, duration } from './facts';
import type { Values } from './fill';
import type { Line, PlaceSaid } from './line';

/** From so long a wait on it is said what happens if the conversation ends before. */
const LONG_S = 600;
/** Why the wait changed is said for so long. */
const CHANGE_MS = 600_000;
/** It is said so long that it is one's turn; while the page is hidden, longer. */
const CALLED_MS = 8_000;

export function standing(line: Line): Values {
  const { kind, place, door, change } = line;
  const now = Date.now();
  const settles = !place || !!place.settling;
  // Where there is sound, it is about to come: that is said by the player.
  const comes = line.wants && settles && !line.failures && door.status().state !== 'scheduled';
  const waits = (kind === 'waiting' || kind === 'door') && !comes;
  const called = waits && !!place?.called;
  const isBusy = kind === 'drawing' && line.failures > 1 && door.reached();
  return {
    w_held: !!line.held || kind === 'waiting',
    w_on: waits || isBusy || kind === 'elsewhere' || kind === 'none_left',
    w_anew: line.anew,
    w_settling: waits && (settles || (called && line.wants && kind !== 'door')),
    w_turn: called && kind !== 'door' && !line.wants,
    w_door: kind === 'door',
    w_elsewhere: kind === 'elsewhere',
    w_none_left: kind === 'none_left',
    w_busy: isBusy,
    w_waits: waits && !called && !settles,
    w_auto: line.wants,
    w_later: waits && !called && !settles && !!place?.drawn && door.status().late?.state === 'open',
    w_called: line.calledMs > 0 && (document.hidden || now - line.calledMs < CALLED_MS),
    l_asks: Math.max(0, Math.ceil((line.askMs - now) / 1000)) + ' s',
    ...(waits && place && !settles && !called && (place.drawn ? inLine(line, place) : inDraw(line))),
    ...(change && now - change.atMs < CHANGE_MS && changed(line)),
  };
}

function inDraw({ door }: Line): Values {
  const { draw, tickets = 0, seats } = door.status();
  const atMs = draw ? Date.parse(draw.at) : 0;
  return {
    w_draw: true,
    w_drawing: atMs <= Date.now(),
    w_draw_at: atMs ? clock(atMs, door.place()) : '',
    l_tickets: write(Math.max(tickets, 1), door.place().locale),
    w_cap: seats ? write(seats.cap, door.place().locale) : '',
    w_room: !!seats && tickets + seats.taken <= seats.cap,
  };
}

function inLine({ door, held }: Line, place: PlaceSaid): Values {
  const { draw, rate } = door.status();
  const { locale } = door.place();
  const { rank = 0, ahead = 0, tickets_ahead: raw = ahead, eta_s: eta } = place;
  const hit = rate?.eta_hit_rate;
  const from = held?.from ?? 0;
  return {
    w_line: true,
    l_people: write(ahead, locale),
    w_range: !!eta,
    w_next: raw === 0,
    l_range: eta ? range(eta) : '',
    w_hit: hit ? String(Math.round(hit * 100)) : '',
    w_raw: raw !== ahead,
    l_raw: write(raw, locale),
    w_progress: from ? String(Math.round((100 * (from - raw)) / from)) : '',
    w_low: eta && eta[0] >= LONG_S ? duration(eta[0], door.place(), true) : '',
    w_rank: write(rank, locale),
    w_drawn: draw?.count && rank < draw.count ? write(draw.count, locale) : '',
  };
}

function changed({ change, door }: Line): Values {
  const { seats } = door.status();
  return {
    w_change: true,
    ['w_' + change!.why]: true,
    w_change_at: clock(change!.atMs, door.place()),
    w_new_cap: write(seats?.cap ?? 0, door.place().locale),
  };
}

function write(count: number, locale: string): string {
  return count.toLocaleString(locale);
}

/** `20–60 s`, `6–11 min`, `2–4 h`: outwards, so that the range stays as true as it was. */
export function range([lowS, highS]: [number, number]): string {
  const [unitS, unit] = highS <= 90 ? [1, 's'] : highS <= 5400 ? [60, 'min'] : [3600, 'h'];
  const [low, high] = [Math.floor(lowS / unitS), Math.max(1, Math.ceil(highS / unitS))];
  return low === high ? `${high} ${unit}` : `${low}–${high} ${unit}`;
}
