// The waiting script, inlined into the page: it keeps the page true to the room's `status`. Everything that
// is needed only inside (the player, the replay, sharing, the other language) is fetched once the page
// stands: see inside.ts.

import { facts, type Place, type Status } from './facts';
import { fill, type Values } from './fill';
import type { PlaceSaid } from './line';

/** What the server writes into the page: the room's status, and where the rest lies. */
export interface Given extends Status {
  url: string;
  /** Address of inside.ts, built for this page's language. */
  inside: string;
  day: string;
  /** Where the visitor's ticket stands, when the browser showed one in its cookie. */
  place?: PlaceSaid;
  /** The page comes from the visitor's own browser: the node was not reached. */
  kept?: boolean;
}

/** The page, as seen from inside. */
export interface Door {
  path: string;
  audio: HTMLAudioElement;
  given: Given;
  status(): Status;
  place(): Place;
  /** The node's last answer was one. */
  reached(): boolean;
  show(): void;
  poll(): void;
  /** Takes over another language: its main template, its data, its inside. */
  speak(lang: string, main: string, given: Given, inside: InsideModule): void;
}

/** What inside.ts gives back. */
export interface Inside {
  values(): Values;
  /** The status may wait so long, in ms. */
  paceMs(): number;
  /** What the next request for the status shows: that the program arrives. */
  heard(): Promise<RequestInit>;
  /** A click on `[data-do]`; false leaves it to the browser. */
  act(wish: string, spot: HTMLElement): void;
  input(id: string, value: string): void;
}

export interface InsideModule {
  /** What main.html and the page's title are filled with, by name. */
  templates: Record<string, string>;
  enter(door: Door): Inside;
}

const POLL_MS = 5000;
const POLL_HIDDEN_MS = 30000;
const POLL_TIMEOUT_MS = 8000;
const RETRY_MAX_MS = 20000;
/** A scheduled page fetches the rest within this, so that a crowd at the door does not ask twice at once. */
const INSIDE_MS = 20000;

const root = document.documentElement;
const find = (id: string) => document.getElementById(id)!;
const box = find('m');
const icon = find('i') as HTMLLinkElement;
const audio = find('a') as HTMLAudioElement;
const path = location.pathname.replace(/\/$/, '');

let given: Given = JSON.parse(find('d').textContent!);
let status: Status = given;
let main = find('t').textContent!;
let templates: InsideModule['templates'] = {};
let inside: Inside | undefined;
let coming: Promise<Inside> | undefined;
/** How far the visitor's clock goes wrong. Only the page says what time it is: a status may be old. */
const ahead = Date.parse(status.now) - Date.now();
/** The second answer lost is news; a page from the browser itself begins with it. */
let failures = given.kept ? 2 : 0;
let busy = false;
let nextMs = 0;
let timer = 0;
let shape = '';
let said = '';

/** Values that change by themselves and have a place of their own in the page. */
const LOOSE = /^(lasted|countdown|listening|peak|replays|behind|waited|again|retry|parts|volume|l_.*)$/;

const place = (): Place => ({
  locale: navigator.language.startsWith(root.lang) ? navigator.language : root.lang,
  day: given.day,
});

const reached = () => !failures;

/** Draws what changed in kind anew, and writes what changed in number into its place. */
function show(): void {
  const now = Date.now();
  const v: Values = {
    ...facts(status, now + ahead, place()),
    path,
    url: given.url,
    js: true,
    idle: true,
    busy,
    gone: failures > 1,
    again: Math.max(0, Math.ceil((nextMs - now) / 1000)) + ' s',
    ...inside?.values(),
  };
  if ((v['ended'] || given.place) && !inside)
    return void enter().catch(() => {});
  const next = main.length + JSON.stringify(v, (name, value) => (LOOSE.test(name) ? '' : value));
  if (next !== shape) {
    shape = next;
    const focus = document.activeElement?.id;
    const kept = document.getElementById('replay');
    for (const name in templates) v[name] = fill(templates[name]!, v);
    box.innerHTML = fill(main, v);
    if (kept) document.getElementById('replay')?.replaceWith(kept);
    if (focus) document.getElementById(focus)?.focus();
    const news = [...box.querySelectorAll('[data-say]')].map((one) => one.textContent).join(' ');
    if (said && news !== said) find('s').textContent = news;
    said = news;
    icon.href = icon.href.replace(/(fill='%23)\w+/, '$1' + (v['live'] ? 'b3261e' : '888'));
  } else {
    box.querySelectorAll<HTMLElement>('[data-v]').forEach((spot) => {
      const text = v[spot.dataset['v']!] as string;
      if (spot.textContent !== text) spot.textContent = text;
    });
  }
  document.title =
    (fill(templates['headline'] ?? '', v) ||
      (v['early'] && v['countdown']) ||
      box.querySelector('.state')!.textContent) +
    ' · ' +
    status.title;
}

async function poll(): Promise<void> {
  clearTimeout(timer);
  try {
    const answer = await fetch(path + '/status', {
      signal: AbortSignal.timeout(POLL_TIMEOUT_MS), headers: inside?.heard,
    });
    if (!answer.ok) throw answer;
    status = await answer.json();
    failures = 0;
  } catch {
    failures++;
  }
  clearTimeout(timer);
  const waitMs = failures
    ? 1000 + Math.random() * Math.min(RETRY_MAX_MS, POLL_MS * 2 ** failures)
    : Math.max(inside?.paceMs() ?? 0, document.hidden ? POLL_HIDDEN_MS : POLL_MS) *
      (0.8 + Math.random() * 0.4);
  nextMs = Date.now() + waitMs;
  timer = setTimeout(poll, waitMs);
  if (status.state !== 'scheduled' && !failures) void enter().catch(() => {});
  show();
}

/** Fetches the rest, once; a fetch that failed is made again with the next wish. */
function enter(): Promise<Inside> {
  return (coming ??= import(given.inside).then(
    (module: InsideModule) => {
      templates = module.templates;
      inside = module.enter({ path, audio, given, status: () => status, place, reached, show, poll, speak });
      show();
      return inside;
    },
    (error) => {
      coming = undefined;
      throw error;
    },
  ));
}

function speak(lang: string, page: string, data: Given, words: InsideModule): void {
  root.lang = lang;
  main = page;
  given = data;
  templates = words.templates;
  show();
}

if (status.state) {
  document.onclick = (event) => {
    const spot = (event.target as Element).closest<HTMLElement>('[data-do]');
    if (!spot || (spot.localName === 'a' && !inside)) return;
    event.preventDefault();
    busy = !inside;
    show();
    enter()
      .then((it) => it.act(spot.dataset['do']!, spot), poll)
      .finally(() => (busy = false));
  };
  document.oninput = ({ target }) =>
    inside?.input((target as HTMLInputElement).id, (target as HTMLInputElement).value);
  document.onvisibilitychange = () => document.hidden || poll();
  window.ononline = poll;
  show();
  setInterval(show, 1000);
  const firstMs = Math.random() * POLL_MS;
  nextMs = Date.now() + firstMs;
  timer = setTimeout(poll, firstMs);
  setTimeout(() => enter().catch(() => {}), status.state === 'scheduled' ? Math.random() * INSIDE_MS : 0);
}
