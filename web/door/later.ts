// The program half a minute late, for somebody who waits: plain HLS through Media Source, or by the element
// alone. A playlist now and then, and each new segment once; nobody holds a seat for it.

import type { Door } from './door';
import { backoffMs } from '../wire/pace';
import { mediaSource } from './stream';

const TYPE = 'audio/mp4; codecs="mp4a.40.2"';
/** Where a player begins: so many segments before the newest. */
const BEGIN_BEFORE = 3;
/** A segment lasts 5.76 s; about half of that is waited for the next playlist. */
const RELOAD_MS = 3000;
/** There is no room for one more. */
const FULL = 'late_full';
/** Sound kept behind the ear. */
const KEEP_BEHIND_S = 30;

/** What became of it. */
export type Hears = 'no' | 'starting' | 'playing' | 'full';

export class Later {
  hears: Hears = 'starting';
  private source: MediaSource | undefined;
  private buffer: SourceBuffer | undefined;
  private queue: ArrayBuffer[] = [];
  private list = '';
  private begun = '';
  private next = -1;
  /** There is no more to come. */
  private isWhole = false;
  private attempt = 0;
  private timer = 0;
  private readonly cut = new AbortController();
  private readonly sounds = () => this.is('playing');
  private readonly failed = () => {
    if (!this.source) this.again();
  };

  constructor(
    private readonly door: Door,
    private readonly told: () => void,
  ) {}

  begin(): void {
    const { audio, path } = this.door;
    const Source = mediaSource();
    if (Source?.isTypeSupported(TYPE)) {
      const source = (this.source = new Source());
      audio.disableRemotePlayback = true;
      audio.src = URL.createObjectURL(source);
      source.addEventListener('sourceopen', () => this.open(source), { once: true });
    } else {
      audio.src = path + '/late.m3u8';
    }
    audio.addEventListener('playing', this.sounds);
    audio.addEventListener('error', this.failed);
    this.play();
  }

  stop(): void {
    const { audio } = this.door;
    this.cut.abort();
    clearTimeout(this.timer);
    audio.removeEventListener('playing', this.sounds);
    audio.removeEventListener('error', this.failed);
    audio.pause();
    audio.removeAttribute('src');
    audio.load();
  }

  private play(): void {
    this.door.audio.play().catch((error: DOMException) => {
      if (error.name === 'NotAllowedError') this.is('no');
    });
  }

  /** The element alone does not say why it failed: there is no room, or it is too soon. */
  private again(): void {
    this.is('full');
    const { audio, path } = this.door;
    this.timer = setTimeout(() => {
      audio.src = path + '/late.m3u8';
      this.play();
    }, backoffMs(this.attempt++));
  }

  private is(hears: Hears): void {
    if (this.cut.signal.aborted) return;
    this.hears = hears;
    this.told();
  }

  private open(source: MediaSource): void {
    URL.revokeObjectURL(this.door.audio.src);
    if (this.cut.signal.aborted) return;
    this.buffer = source.addSourceBuffer(TYPE);
    this.buffer.addEventListener('updateend', () => this.feed());
    void this.follow();
  }

  /** Takes what is new, and asks again: soon, or later where it was refused. */
  private async follow(): Promise<void> {
    let waitMs = RELOAD_MS;
    try {
      await this.load();
      this.attempt = 0;
    } catch (code) {
      if (this.cut.signal.aborted) return;
      if (code === FULL && this.hears !== 'playing') this.is('full');
      waitMs += backoffMs(this.attempt++);
    }
    if (!this.cut.signal.aborted && !this.isWhole) this.timer = setTimeout(() => void this.follow(), waitMs);
  }

  private async load(): Promise<void> {
    const { path } = this.door;
    if (!this.list) {
      const [variant] = addresses(await (await this.get(path + '/late.m3u8')).text());
      this.list = new URL(variant!, location.origin + path + '/').href;
    }
    const text = await (await this.get(this.list)).text();
    const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
    const header = /#EXT-X-MAP:URI="([^"]+)"/.exec(text)![1]!;
    const segments = addresses(text);
    this.isWhole = text.includes('#EXT-X-ENDLIST');
    // What is no longer named was missed: it goes on with what is.
    const begin = first + Math.max(0, segments.length - BEGIN_BEFORE);
    this.next = this.next < 0 ? begin : Math.max(this.next, first);
    if (header !== this.begun) {
      this.queue.push(await (await this.get(new URL(header, this.list).href)).arrayBuffer());
      this.begun = header;
    }
    for (; this.next < first + segments.length; this.next++) {
      const segment = segments[this.next - first]!;
      this.queue.push(await (await this.get(new URL(segment, this.list).href)).arrayBuffer());
      this.feed();
    }
  }

  private async get(url: string): Promise<Response> {
    const answer = await fetch(url, { signal: this.cut.signal });
    if (!answer.ok) throw ((await answer.json()) as { code: string }).code;
    return answer;
  }

  private feed(): void {
    const { buffer, source } = this;
    const { audio } = this.door;
    if (!buffer || buffer.updating || source?.readyState !== 'open') return;
    const ranges = buffer.buffered;
    if (ranges.length) {
      // The program's own time is the element's: it begins where the sound does, and steps over gaps.
      const from = ranges.start(ranges.length - 1);
      if (audio.currentTime < ranges.start(0)) audio.currentTime = from;
      else if (audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && audio.currentTime < from)
        audio.currentTime = from;
      if (audio.currentTime - ranges.start(0) > 2 * KEEP_BEHIND_S)
        return buffer.remove(0, audio.currentTime - KEEP_BEHIND_S);
    }
    const next = this.queue.shift();
    if (next) buffer.appendBuffer(next);
  }
}

/** The lines of a playlist that are addresses. */
function addresses(playlist: string): string[] {
  return playlist.split('\n').filter((line) => line && !line.startsWith('#'));
}
