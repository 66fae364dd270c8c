// The player: one wish (to hear), two ways to fulfil it, and the phone's own controls. Fetched after the
// page, when there is something to hear.

import type { Door } from './door';
import { Element } from './element';
import { Later, type Hears } from './later';
import { Line } from './line';
import { Stream, typeForMediaSource } from './stream';

/** What the page tells about the sound. */
export interface Hearing {
  phase: 'idle' | 'starting' | 'playing' | 'paused' | 'stalled' | 'waiting' | 'broken';
  /** Seconds between what is heard and what is said; below 0: this browser does not tell. */
  behindS: number;
  /** When the present interruption began, in page time. */
  stalledMs: number;
  /** Seconds lost to interruptions that could not be made good. */
  missedS: number;
  /** What the listener chose; empty: as good as there is room for. */
  rendition: string;
  /** The volume can be set at all; some phones keep it to their keys. */
  loud: boolean;
}

/** How a way of playing tells the player what became of it. */
export interface Fate {
  hearing: Hearing;
  /** The right to a seat, as every request for the program shows it. */
  readonly pass: string;
  /** Sound comes out. */
  playing(): void;
  /** Sound stopped coming at `sinceMs` in page time, against the listener's wish. */
  stalled(sinceMs: number): void;
  /** The program was refused with this HTTP status; whether that ends this way of playing. */
  turned(status: number): boolean;
  /** The browser wants a click first. */
  refused(): void;
  /** This browser cannot play what there is. */
  broken(): void;
}

/** A way of playing: through Media Source, or by the element alone. */
export interface Way {
  begin(): void;
  stop(): void;
  catchUp(): void;
  rendition(name: string): void;
}

export class Player implements Fate {
  readonly hearing: Hearing = {
    phase: 'idle',
    behindS: -1,
    stalledMs: 0,
    missedS: 0,
    rendition: '',
    loud: false,
  };
  readonly line: Line;
  private way: Way | undefined;
  private later: Later | undefined;

  constructor(private readonly door: Door) {
    this.line = new Line(door, {
      seated: () => this.begin(),
      coming: () => this.come(),
      waiting: () => this.wait(),
    });
    door.audio.volume = 0.5;
    this.hearing.loud = door.audio.volume === 0.5;
    door.audio.volume = 1;
    door.audio.addEventListener('pause', () => {
      // The phone paused it: a call, a pulled plug.
      if (this.way && !door.audio.ended && this.hearing.phase === 'playing') this.pause();
    });
    this.session();
  }

  /** The listener wants to hear, whether or not there is sound just now. */
  get isOn(): boolean {
    return !!this.way || this.line.wants;
  }

  /** Whether the program is heard half a minute late meanwhile. */
  get hearsLater(): Hears {
    return this.later?.hears ?? 'no';
  }

  get pass(): string {
    return this.line.pass;
  }

  /** Where in the program the ear is, in seconds of the program's own time; undefined where nobody knows. */
  get placeS(): number | undefined {
    return this.way instanceof Stream && this.hearing.phase === 'playing'
      ? this.door.audio.currentTime
      : undefined;
  }

  /** What the next request shows of it that the program arrives. */
  async heard(): Promise<Record<string, string>> {
    return this.way instanceof Stream ? this.way.heard() : {};
  }

  toggle(): void {
    if (this.isOn) this.pause();
    else this.play();
  }

  /** Somebody who waits hears it late, and live by itself when it is their turn; or stops that. */
  meanwhile(): void {
    const { later } = this;
    this.drop();
    if (later) return this.door.show();
    if (!this.line.wants) this.line.come();
    if (this.way) return;
    this.later = new Later(this.door, () => {
      if (this.hearsLater === 'no') this.leaveLater();
      this.door.show();
    });
    this.later.begin();
  }

  /** The conversation is over: what is heard late would go on over its replay. */
  end(): void {
    this.leaveLater();
  }

  catchUp(): void {
    this.hearing.missedS = 0;
    this.way?.catchUp();
    this.door.show();
  }

  rendition(name: string): void {
    this.hearing.rendition = name;
    this.way?.rendition(name);
    this.door.show();
  }

  playing(): void {
    this.enter('playing');
  }

  stalled(sinceMs: number): void {
    this.hearing.stalledMs = sinceMs;
    this.enter('stalled');
  }

  turned(status: number): boolean {
    return this.line.refused(status);
  }

  refused(): void {
    this.drop();
    this.line.stay();
    this.enter('idle');
  }

  broken(): void {
    this.drop();
    this.enter('broken');
  }

  /** A seat first, then the sound. */
  private play(): void {
    this.enter('starting');
    this.line.come();
  }

  private come(): void {
    if (this.later) return;
    this.drop();
    this.enter('starting');
  }

  /** The line has no seat for it now. */
  private wait(): void {
    if (!this.later) this.drop();
    if (this.hearing.phase !== 'idle') this.enter('waiting');
  }

  private begin(): void {
    this.drop();
    const { door } = this;
    const type = typeForMediaSource();
    this.way = type ? new Stream(door, this, type) : new Element(door, this);
    this.hearing.missedS = 0;
    this.enter('starting');
    this.way.begin();
  }

  private pause(): void {
    this.drop();
    this.line.stay();
    this.enter(this.door.status().state === 'ended' ? 'idle' : 'paused');
  }

  private drop(): void {
    const { way } = this;
    this.way = undefined;
    way?.stop();
    this.leaveLater();
    this.hearing.behindS = -1;
  }

  private leaveLater(): void {
    const { later } = this;
    this.later = undefined;
    later?.stop();
  }

  private enter(phase: Hearing['phase']): void {
    this.hearing.phase = phase;
    if ('mediaSession' in navigator) {
      navigator.mediaSession.playbackState = this.way ? 'playing' : phase === 'idle' ? 'none' : 'paused';
    }
    this.door.show();
  }

  /** The lock screen, the headset's key, the keyboard's media keys. */
  private session(): void {
    if (!('mediaSession' in navigator)) return;
    const { mediaSession } = navigator;
    const title = this.door.status().title;
    mediaSession.metadata = new MediaMetadata({ title, artist: location.host, album: 'tribune' });
    const stop = () => this.way && this.pause();
    mediaSession.setActionHandler('play', () => this.way || this.play());
    mediaSession.setActionHandler('pause', stop);
    mediaSession.setActionHandler('stop', stop);
  }
}
