// What is needed once the page stands: the player and its deck, the replay, sharing, the other language.
// Built once for each language; the build gives it its templates.

import deckTemplate from 'template:deck.html';
import finaleTemplate from 'template:finale.html';
import standTemplate from 'template:stand.html';
import type { Door, Given, Inside, InsideModule } from './door';
import { duration } from './facts';
import type { Values } from './fill';
import type { Floor, FloorModule } from './floor';
import { Player } from './player';
import { Speech } from './speech';

/** Behind live by more than this, the page offers to catch up. */
const FAR_S = 4;
/** Less than this missing is not worth a sentence. */
const MISSED_UNSAID_S = 0.5;

export const deck = deckTemplate;
export const finale = finaleTemplate;
export const stand = standTemplate;

export function enter(door: Door): Inside {
  const player = new Player(door);
  const speech = new Speech(door, player);
  let floor: Floor | undefined;
  let copied = false;

  /** The part that speaks is fetched with the first wish to. */
  async function stage(): Promise<Floor> {
    const module: FloorModule = await import(FLOOR);
    return (floor ??= module.begin({ path: door.path, player, told: () => door.show() }));
  }

  if (asked(door.path)) stage().catch(() => {});

  function values(): Values {
    const { phase, behindS, missedS, stalledMs, againMs, rendition, loud } = player.hearing;
    const now = Date.now();
    const seconds = (s: number) =>
      s.toLocaleString(door.place().locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) + ' s';
    return {
      copied,
      ...speech.values(),
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
      retry: Math.max(0, Math.ceil((againMs - now) / 1000)) + ' s',
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
    if (wish === 'toggle') player.toggle();
    else if (wish === 'catch') player.catchUp();
    else if (wish === 'share')
      share().catch(() => {}); // Closing the sheet is an answer too.
    else if (/^(ask|unask|request|release|speak|hush|mic)$/.test(wish))
      stage().then((it) => it.act(wish), door.poll);
    else if (wish === 'lang') {
      const link = spot as HTMLAnchorElement;
      speak(link).catch(() => (location.href = link.href));
    }
  }

  function input(id: string, value: string): void {
    if (id === 'vol') door.audio.volume = +value;
    if (id === 'fname') floor?.name(value);
    if (id === 'rate') player.rendition(value);
    if (id === 'speed') (document.getElementById('replay') as HTMLAudioElement).playbackRate = +value;
  }

  return { values, act, input };
}

/** Whether this browser has asked for the floor before: then its answer is looked for. */
function asked(path: string): boolean {
  try {
    return !!localStorage.getItem('tribune.floor.' + path.slice(1));
  } catch {
    return false;
  }
}
