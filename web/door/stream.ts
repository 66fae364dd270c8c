// Live sound through Media Source: one long answer of fragmented MP4, one to two seconds behind live.
//
// The program's own time is the time of the media element, so a connection that is cut can go on where it
// stopped: the next one asks for `from_s`, and what the server no longer has shows as a gap, which is jumped
// and counted.

import type { Door } from './door';
import { backoffMs } from '../wire/pace';
import type { Fate, Way } from './player';
import { Receipt } from './receipt';

/** Sound kept ahead of the ear: below LOW it plays slower, above HIGH faster, until CALM. */
const LOW_S = 0.8;
const CALM_S = 1.4;
const HIGH_S = 2.2;
const SLOWER = 0.97;
const FASTER = 1.05;
/** Sound in hand before the first note. */
const FIRST_S = 0.6;
/** Where catching up lands, behind the newest sound. */
const EDGE_S = 1.2;
/** Less than this ahead cannot be played: decoders hold back the last of what they have. */
const DRY_S = 0.3;
/** The clock of the element standing still for less than this is not spoken of. */
const UNSAID_MS = 600;
/** A connection that brings nothing for so long is given up: some eight parts. */
const SILENT_MS = 2500;
/** Bytes that come without moving the end of the buffer: the server's time began anew. */
const STUCK_MS = 2000;
/** Sound kept behind the ear, and how much more may gather before it is dropped. */
const KEEP_BEHIND_S = 10;
const TRIM_SLACK_S = 20;
const TICK_MS = 200;

declare global {
  interface Window {
    ManagedMediaSource?: typeof MediaSource;
  }
}

export function mediaSource(): typeof MediaSource | undefined {
  return window.ManagedMediaSource ?? window.MediaSource;
}

/** The type under which this browser takes Opus in MP4: Safari spells the codec with a capital. */
export function typeForMediaSource(): string | undefined {
  const types = ['audio/mp4; codecs="opus"', 'audio/mp4; codecs="Opus"'];
  return types.find((type) => mediaSource()?.isTypeSupported(type));
}

export class Stream implements Way {
  private source: MediaSource | undefined;
  private buffer: SourceBuffer | undefined;
  private readonly receipt = new Receipt();
  private queue: Uint8Array<ArrayBuffer>[] = [];
  private cut: AbortController | undefined;
  private attempt = 0;
  private ticker = 0;
  private again = 0;
  private bytesMs = 0;
  private grewMs = 0;
  private endS = 0;
  private lastS = 0;
  private movedMs = 0;
  private playing = false;
  private stopped = false;

  constructor(
    private readonly door: Door,
    private readonly fate: Fate,
    private readonly type: string,
  ) {}

  begin(): void {
    this.open();
    this.ticker = setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.ticker);
    this.close();
    this.door.audio.pause();
    this.door.audio.removeAttribute('src');
    this.door.audio.load();
  }

  catchUp(): void {
    const { audio } = this.door;
    audio.currentTime = Math.max(audio.currentTime, this.endS - EDGE_S);
  }

  /** What shows that the program arrives. */
  heard(): Promise<Record<string, string>> {
    return this.receipt.header(this.fate.pass);
  }

  /** Same packets, fewer bits: the next connection goes on at the part where this one stops. */
  rendition(): void {
    this.attempt = 0;
    this.connect();
  }

  /** A fresh element and buffer, and the first connection into it. */
  private open(): void {
    const { audio } = this.door;
    const Source = mediaSource()!;
    const source = new Source();
    this.source = source;
    this.endS = 0;
    this.playing = false;
    audio.disableRemotePlayback = true; // Safari asks for it before it opens a managed source.
    audio.src = URL.createObjectURL(source);
    source.addEventListener(
      'sourceopen',
      () => {
        URL.revokeObjectURL(audio.src);
        if (this.stopped || source !== this.source) return;
        this.buffer = source.addSourceBuffer(this.type);
        this.buffer.addEventListener('updateend', () => this.feed());
        this.connect();
      },
      { once: true },
    );
    audio.play().catch((error: DOMException) => {
      if (error.name === 'NotAllowedError' && !this.stopped) this.fate.refused();
    });
  }

  private close(): void {
    clearTimeout(this.again);
    this.cut?.abort();
    this.source = this.buffer = undefined;
    this.queue = [];
  }

  private connect(): void {
    clearTimeout(this.again);
    this.cut?.abort();
    this.cut = new AbortController();
    this.bytesMs = this.grewMs = Date.now();
    void this.read(this.cut.signal);
  }

  private async read(signal: AbortSignal): Promise<void> {
    const { path } = this.door;
    const { hearing, pass } = this.fate;
    const chosen = hearing.rendition && '&rendition=' + hearing.rendition;
    const from = this.endS ? '&from_s=' + this.endS.toFixed(3) : '';
    try {
      const answer = await fetch(`${path}/live.mp4?pass=${pass}${chosen}${from}`, {
        signal,
        cache: 'no-store',
      });
      if (this.fate.turned(answer.status)) return;
      if (!answer.ok || !answer.body) throw answer.status;
      this.restart();
      const reader = answer.body.getReader();
      for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
        if (signal.aborted) return;
        this.bytesMs = Date.now();
        this.receipt.take(value!);
        this.queue.push(value!);
        this.feed();
      }
    } catch {
      // Cut off: the same as a connection that ended, and answered below.
    }
    if (signal.aborted) return;
    this.door.poll(); // It may have ended, or the server may be gone: the page should know first.
    this.reconnect();
  }

  private reconnect(): void {
    this.cut?.abort();
    clearTimeout(this.again);
    this.again = setTimeout(() => this.connect(), backoffMs(this.attempt++));
  }

  /** A new connection begins with a header of its own: half a fragment left from the last one must go. */
  private restart(): void {
    this.queue = [];
    this.receipt.restart();
    if (this.buffer && this.source?.readyState === 'open') this.buffer.abort();
  }

  private feed(): void {
    const { buffer } = this;
    const next = this.queue[0];
    if (!buffer || buffer.updating || this.source?.readyState !== 'open') return;
    if (!next) return this.trim(buffer);
    try {
      buffer.appendBuffer(next);
      this.queue.shift();
    } catch (error) {
      if ((error as DOMException).name === 'QuotaExceededError') this.trim(buffer);
      else this.reopen();
    }
  }

  private trim(buffer: SourceBuffer): void {
    const { currentTime } = this.door.audio;
    if (!buffer.buffered.length || currentTime - buffer.buffered.start(0) < KEEP_BEHIND_S + TRIM_SLACK_S)
      return;
    buffer.remove(0, currentTime - KEEP_BEHIND_S);
  }

  private reopen(): void {
    this.close();
    this.open();
  }

  private tick(): void {
    const { audio } = this.door;
    const { hearing } = this.fate;
    const now = Date.now();
    if (audio.error) return this.reopen();
    const moves = audio.currentTime !== this.lastS;
    if (moves) [this.lastS, this.movedMs] = [audio.currentTime, now];
    const ahead = this.ahead(now);
    if (this.door.status().state === 'ended' && !moves) return this.fate.refused();
    hearing.behindS = this.endS ? this.endS - audio.currentTime + (now - this.bytesMs) / 1000 : -1;
    if (moves) this.flow(ahead);
    else if (this.playing && hearing.phase === 'playing' && now - this.movedMs > UNSAID_MS)
      this.fate.stalled(this.movedMs);
    if (this.cut && !this.cut.signal.aborted && now - this.bytesMs > SILENT_MS) this.reconnect();
    else if (this.bytesMs - this.grewMs > STUCK_MS) this.reopen();
    if (this.playing) this.door.show();
  }

  /** Seconds of sound in hand, after stepping over a gap if the ear stands at one. */
  private ahead(now: number): number {
    const { audio } = this.door;
    const ranges = this.buffer?.buffered;
    if (!ranges?.length) return 0;
    const end = ranges.end(ranges.length - 1);
    if (end > this.endS) [this.endS, this.grewMs] = [end, now];
    const t = audio.currentTime;
    for (let i = 0; i < ranges.length; i++) {
      const [from, to] = [ranges.start(i), ranges.end(i)];
      const last = i === ranges.length - 1;
      if (t >= from - 0.001 && t < (last ? to : to - DRY_S)) return to - t;
      if (from > t) return this.step(from, to);
    }
    return 0;
  }

  private step(from: number, to: number): number {
    if (to - from < FIRST_S) return 0;
    const { audio } = this.door;
    const { hearing } = this.fate;
    if (this.playing) hearing.missedS += from - audio.currentTime;
    audio.currentTime = this.playing ? from : Math.max(from, to - HIGH_S);
    return to - audio.currentTime;
  }

  private flow(ahead: number): void {
    const { audio } = this.door;
    if (ahead > HIGH_S) audio.playbackRate = FASTER;
    else if (ahead < LOW_S) audio.playbackRate = SLOWER;
    else if (audio.playbackRate > 1 === ahead < CALM_S) audio.playbackRate = 1;
    if (this.fate.hearing.phase === 'playing' || audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return;
    this.attempt = 0;
    this.playing = true;
    this.fate.playing();
  }
}
