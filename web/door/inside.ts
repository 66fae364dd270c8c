// What is needed once the page stands: the player and its deck, the replay, sharing, the other language.
// Built once for each language; the build gives it its templates.

import deckTemplate from 'template:deck.html';
import finaleTemplate from 'template:finale.html';
import headlineTemplate from 'template:headline.html';
import looks from 'template:inside.css';
import lineTemplate from 'template:line.html';
import standTemplate from 'template:stand.html';
import type { Door, Given, Inside, InsideModule } from './door';
import { duration, type Status } from './facts';
import type { Values } from './fill';
import type { Floor, FloorModule } from './floor';
import { Player } from './player';
import { shelter, unshelter } from './shelter';
import { Speech } from './speech';
import { standing } from './standing';

/** Behind live by more than this, the page offers to catch up. */
const FAR_S = 4;
/** Less than this missing is not worth a sentence. */
const MISSED_UNSAID_S = 0.5;

/** The replay is fetched within this, one person a millisecond: the end is a crowd too. */
const REPLAY_MAX_MS = 30_000;

export const templates = {
  deck: deckTemplate,
  finale: finaleTemplate,
  stand: standTemplate,
  line: lineTemplate,
  headline: headlineTemplate,
};

export function enter(door: Door): Inside {
  const player = new Player(door);
  const { line } = player;
  const speech = new Speech(door, player);
  let floor: Floor | undefined;
  let copied = false;
  let fair = false;
  /** The replay may be fetched before anybody presses for it. */
  let preload = door.status().state === 'ended';
  let over = preload;

  /** The part that speaks is fetched with the first wish to. */
  async function stage(): Promise<Floor> {
    const module: FloorModule = await import(FLOOR);
    return (floor ??= module.begin({ path: door.path, player, told: () => door.show() }));
  }

  dress();
  if (asked(door.path)) stage().catch(() => {});

  /** Who waited and who listened is handed the replay at once, and fetches it in a moment of their own. */
  function end(): void {
    over = true;
    line.end();
    player.end();
    void unshelter(door.path);
    const { listening = 0, tickets = 0 } = door.status();
    setTimeout(() => {
      preload = true;
      door.show();
      document.getElementById('replay')?.setAttribute('preload', 'metadata');
    }, Math.random() * Math.min(REPLAY_MAX_MS, listening + tickets));
  }

  function values(): Values {
    const { phase, behindS, missedS, stalledMs, rendition, loud } = player.hearing;
    if (!over && door.status().state === 'ended') end();
    if (line.held && !over) shelter(door, line.wants);
    line.follow();
    const step = door.status().ladder?.step ?? 0;
    const now = Date.now();
    const seconds = (s: number) =>
      s.toLocaleString(door.place().locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) + ' s';
    return {
      copied,
      ...speech.values(),
      ...standing(line),
      ['w_late_' + player.hearsLater]: true,
      ...(player.hearsLater !== 'no' && { w_later: true }),
      ...told(),
      ...guarded(door.status()),
      preload,
      report: !!door.status().report,
      w_fair: fair,
      ['ladder_' + step]: true,
      pass_query: line.pass && '?pass=' + line.pass,
      loud,
      idle: false,
      [phase]: true,
      ...(floor?.values() ?? { f_none: true }),
      on: ['starting', 'playing', 'stalled'].includes(phase),
      off: phase === 'paused' || phase === 'broken',
      known: behindS >= 0,
      far: behindS > FAR_S,
      behind: seconds(behindS),
      waited: duration((now - stalledMs) / 1000, door.place()),
      missed: missedS >= MISSED_UNSAID_S ? seconds(missedS) : '',
      volume: String(door.audio.volume),
      ['r' + rendition.slice(4)]: true,
    };
  }

  async function share(): Promise<void> {
    const { url } = door.given;
    if (navigator.share) return navigator.share({ url, title: door.status().title });
    await navigator.clipboard.writeText(url);
    copied = true;
    door.show();
  }

  /** Takes the other language out of its own page, so that the sound goes on. */
  async function speak(link: HTMLAnchorElement): Promise<void> {
    const answer = await fetch(link.href);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const given: Given = JSON.parse(page.getElementById('d')!.textContent!);
    const words: InsideModule = await import(given.inside);
    history.replaceState(null, '', link.href);
    door.speak(page.documentElement.lang, page.getElementById('t')!.textContent!, given, words);
  }

  function act(wish: string, spot: HTMLElement): void {
    if (wish === 'toggle' || wish === 'save' || wish === 'auto') player.toggle();
    else if (wish === 'later') player.meanwhile();
    else if (wish === 'catch') player.catchUp();
    else if (wish === 'fair') fair = !fair;
    else if (wish === 'tell') Notification.requestPermission().then(door.show);
    else if (wish === 'share')
      share().catch(() => {}); // Closing the sheet is an answer too.
    else if (/^(ask|unask|request|release|speak|hush|mic)$/.test(wish))
      stage().then((it) => it.act(wish), door.poll);
    else if (wish === 'lang') {
      const link = spot as HTMLAnchorElement;
      speak(link).catch(() => (location.href = link.href));
    }
    door.show();
  }

  function input(id: string, value: string): void {
    if (id === 'vol') door.audio.volume = +value;
    if (id === 'fname') floor?.name(value);
    if (id === 'rate') player.rendition(value);
    if (id === 'speed') (document.getElementById('replay') as HTMLAudioElement).playbackRate = +value;
  }

  const heard = async () => ({ headers: await player.heard() });
  return { values, paceMs: () => line.paceMs(), heard, act, input };
}

/** Whether the visitor can be, or will be, told by their device. */
function told(): Values {
  const permission = 'Notification' in window ? Notification.permission : 'denied';
  return { w_tell: permission === 'default', w_told: permission === 'granted' };
}

/** What of the guard's verdict concerns who comes and who listens, until the conversation is over. */
function guarded({ state, verdict }: Status): Values {
  if (!verdict || state === 'ended') return {};
  return { g_attack: /attack|both/.test(verdict.kind), g_ours: verdict.self_inflicted };
}

/** The looks of what is drawn from here: the first answer has no room for them. */
function dress(): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(looks);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  } catch {
    // An old browser: plain, and all there.
  }
}

/** Whether this browser has asked for the floor before: then its answer is looked for. */
function asked(path: string): boolean {
  try {
    return !!localStorage.getItem('tribune.floor.' + path.slice(1));
  } catch {
    return false;
  }
}
