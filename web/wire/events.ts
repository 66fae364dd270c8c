// Server-sent events that come back by themselves. The browser's own reconnecting waits for seconds and gives
// up on an answer that is not 200; a stage cannot.

import { backoffMs } from './pace';

/** Nothing heard for so long, not even a comment: the connection is taken for dead. The node sends a comment
 * every 15 s. */
const FIRST_MS = 200;
/** A stage has a dozen people: asking once a second costs a server nothing, and they are waited for. */
const LONGEST_MS = 1_000;

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
  private timer = 0;
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
    this.source?.close();
  }

  /** Tries now what would be tried later. */
  hurry(): void {
    if (this.isClosed || this.source?.readyState === EventSource.OPEN) return;
    clearTimeout(this.timer);
    this.open();
  }

  private open(): void {
    this.source?.close();
    const source = new EventSource(this.spec.url);
    this.source = source;
    source.onopen = () => {
      this.attempt = 0;
      this.spec.opened();
    };
    source.onerror = () => {
      source.close();
      if (source === this.source && !this.isClosed) void this.again();
    };
    for (const [name, hear] of Object.entries(this.spec.told)) {
      source.addEventListener(name, (event) => hear((event as MessageEvent<string>).data));
    }
  }

  private async again(): Promise<void> {
    const goesOn = await this.spec.lost();
    if (this.isClosed || !goesOn) return;
    clearTimeout(this.timer);
    const waitMs = backoffMs(this.attempt++, { firstMs: FIRST_MS, longestMs: LONGEST_MS });
    this.timer = setTimeout(() => this.open(), waitMs);
  }
}
