// Live sound by the element alone, where Media Source does not take Opus: HLS, Ogg Opus or AAC, whichever
// plays first.

import type { Door } from './door';
import { backoffMs } from '../wire/pace';
import type { Fate, Way } from './player';

const CHOICES: [file: string, type: string][] = [
  ['live.m3u8', 'application/vnd.apple.mpegurl'],
  ['live.opus', 'audio/ogg; codecs="opus"'],
  ['live.aac', 'audio/aac'],
];
/** No progress for so long is an interruption. */
const DRY_MS = 1000;
/** No progress for so long, and the address is opened again. */
const SILENT_MS = 6000;
/** A file that brings no sound within this is left for the next. */
const FIRST_MS = 8000;
const TICK_MS = 250;
/** A player of HLS shows its pass so often: what it fetches does not. */
const RENEW_MS = 20_000;

export class Element implements Way {
  private readonly choices: string[];
  private choice = 0;
  private attempt = 0;
  private heard = false;
  private lastS = 0;
  private movedMs = 0;
  private ticker = 0;
  private again = 0;
  private renewal = 0;
  private readonly failed = () => void this.next();

  constructor(
    private readonly door: Door,
    private readonly fate: Fate,
  ) {
    this.choices = CHOICES.filter(([, type]) => door.audio.canPlayType(type)).map(([file]) => file);
  }

  begin(): void {
    this.door.audio.addEventListener('error', this.failed);
    this.door.audio.addEventListener('ended', this.failed);
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    this.renewal = setInterval(() => void this.show(), RENEW_MS);
    this.open();
  }

  stop(): void {
    const { audio } = this.door;
    audio.removeEventListener('error', this.failed);
    audio.removeEventListener('ended', this.failed);
    clearInterval(this.ticker);
    clearInterval(this.renewal);
    clearTimeout(this.again);
    audio.pause();
    audio.removeAttribute('src');
    audio.load();
  }

  catchUp(): void {
    const { seekable } = this.door.audio;
    if (seekable.length) this.door.audio.currentTime = seekable.end(seekable.length - 1);
    else this.open();
  }

  rendition(): void {
    this.open();
  }

  private open(): void {
    clearTimeout(this.again);
    const { audio, path } = this.door;
    const { hearing, pass } = this.fate;
    const file = this.choices[this.choice];
    if (!file) return this.fate.broken();
    this.movedMs = Date.now();
    this.lastS = 0;
    const chosen = file === 'live.opus' && hearing.rendition;
    const rendition = chosen ? '&rendition=' + chosen : '';
    audio.src = `${path}/${file}?pass=${pass}${rendition}`;
    audio.play().catch((error: DOMException) => {
      if (error.name === 'NotAllowedError') this.fate.refused();
    });
  }

  /** Shows the pass, which keeps the seat; the answer, if there was one and the seat is still there. */
  private async show(): Promise<Response | 'turned' | undefined> {
    const { path } = this.door;
    const asked = fetch(`${path}/live.m3u8?pass=${this.fate.pass}`, { method: 'HEAD', cache: 'no-store' });
    const answer = await asked.catch(() => undefined);
    return answer && this.fate.turned(answer.status) ? 'turned' : answer;
  }

  /** It failed: without a seat there is none, what never played makes way for the next file. */
  private async next(): Promise<void> {
    clearTimeout(this.again);
    this.door.poll();
    this.movedMs = Date.now();
    const answer = await this.show();
    if (answer === 'turned') return;
    if (this.heard || !answer?.ok) {
      this.again = setTimeout(() => this.open(), backoffMs(this.attempt++));
    } else {
      this.choice++;
      this.open();
    }
  }

  private tick(): void {
    const { audio } = this.door;
    const { hearing } = this.fate;
    const now = Date.now();
    if (audio.currentTime > this.lastS) {
      this.lastS = audio.currentTime;
      this.movedMs = now;
      this.heard = true;
      this.attempt = 0;
      const { seekable } = audio;
      const live = seekable.length ? seekable.end(seekable.length - 1) : Infinity;
      hearing.behindS = Number.isFinite(live) ? Math.max(0, live - audio.currentTime) : -1;
      if (hearing.phase !== 'playing') this.fate.playing();
    } else if (this.door.status().state === 'ended' && now - this.movedMs > DRY_MS) {
      this.fate.refused();
    } else if (now - this.movedMs > (this.heard ? SILENT_MS : FIRST_MS)) {
      void this.next();
    } else if (this.heard && now - this.movedMs > DRY_MS && hearing.phase === 'playing') {
      this.fate.stalled(this.movedMs);
    }
    this.door.show();
  }
}
