// Server-sent events that come back by themselves. The browser's own reconnecting waits for seconds and gives
// up on an answer that is not 200; a stage cannot.

import { backoffMs } from './pace';

const FIRST_MS = 200;
/** A stage has a dozen people: asking once a second costs a server nothing, and they are waited for. */
const LONGEST_MS = 1_000;
/** A stream that does not stand after this is given up for the next. */
const OPEN_MS = 6_000;
/** Nothing heard for so long: the stream is dead, whatever the browser says. The node sends `alive` every
 * 15 s. */
const SILENT_MS = 35_000;
/** What has just brought something is not dead. */
const FRESH_MS = 1_000;

export interface Told {
  /** By the name of the event. */
  [name: string]: (data: string) => void;
}

export interface EventsSpec {
  url: string;
  told: Told;
  /** The stream stands again, after `times` failures. */
  opened(): void;
  /** It broke, or could not be had; the next attempt is on its way unless this returns false. */
  lost(): Promise<boolean> | boolean;
}

export class Events {
  private source: EventSource | undefined;
  /** What stood until now is heard until its successor stands: its last word may be why there is none. */
  private before: EventSource | undefined;
  private timer = 0;
  private watchdog = 0;
  private heardMs = 0;
  private attempt = 0;
  private isClosed = false;
  private readonly online = () => this.hurry();

  constructor(private readonly spec: EventsSpec) {
    addEventListener('online', this.online);
    this.open();
  }

  close(): void {
    this.isClosed = true;
    removeEventListener('online', this.online);
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.source?.close();
    this.before?.close();
  }

  /** Tries now what would be tried later, and tries anew what may have died unseen. */
  hurry(): void {
    if (this.isClosed) return;
    const isOpen = this.source?.readyState === EventSource.OPEN;
    if (isOpen && Date.now() - this.heardMs < FRESH_MS) return;
    clearTimeout(this.timer);
    this.open();
  }

  private open(): void {
    if (this.source?.readyState === EventSource.OPEN) {
      this.before?.close();
      this.before = this.source;
    } else this.source?.close();
    const source = new EventSource(this.spec.url);
    this.source = source;
    const broke = () => {
      source.close();
      if (source !== this.source || this.isClosed) return;
      clearTimeout(this.watchdog);
      void this.again();
    };
    const heard = () => {
      if (source !== this.source || this.isClosed) return;
      this.heardMs = Date.now();
      this.watch(broke, SILENT_MS);
    };
    this.watch(broke, OPEN_MS);
    source.onopen = () => {
      this.attempt = 0;
      this.before?.close();
      heard();
      this.spec.opened();
    };
    source.onerror = broke;
    const told: Record<string, (data: string) => void> = { alive: () => {}, ...this.spec.told };
    for (const [name, hear] of Object.entries(told)) {
      source.addEventListener(name, (event) => {
        heard();
        hear((event as MessageEvent<string>).data);
      });
    }
  }

  private watch(broke: () => void, ms: number): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(broke, ms);
  }

  private async again(): Promise<void> {
    const goesOn = await this.spec.lost();
    if (this.isClosed || !goesOn) return;
    clearTimeout(this.timer);
    const waitMs = backoffMs(this.attempt++, { firstMs: FIRST_MS, longestMs: LONGEST_MS });
    this.timer = setTimeout(() => this.open(), waitMs);
  }
}
