// The way from the audience to the stage and back, on the same page: ask, be granted, speak over WebRTC while
// the mix-minus takes the place of the program, and listen again. Fetched with the first wish to speak.

import { refusalOf, type Refused } from '../wire/api';
import { Events } from '../wire/events';
import { Mic, keep, recall } from '../wire/mic';
import { Line } from '../wire/whip';
import type { Values } from './fill';
import type { Player } from './player';

export interface FloorModule {
  begin(host: Host): Floor;
}

/** The page, as seen from here. */
export interface Host {
  path: string;
  player: Player;
  told(): void;
}

interface Answer {
  state: 'none' | 'requested' | 'granted' | 'declined' | 'revoked' | 'closed';
  ahead: number;
  stage: { whip: string; key: string } | null;
  /** How their own sound stands on the stage; null or missing for who is not on it. */
  you?: Own | null;
}

interface Own {
  muted: 'self' | 'host' | null;
  sound: 'none' | 'good' | 'fair' | 'poor' | 'silent' | 'lost';
  echo: boolean;
  clipping: boolean;
  silent: boolean;
}

const LEVEL_MS = 80;
/** Refusals that the page has words for; for others it shows the node's. */
const SAID_HERE = new Set(['requests_full', 'source_too_busy']);

export function begin(host: Host): Floor {
  return new Floor(host);
}

export class Floor {
  private answer: Answer = { state: 'none', ahead: 0, stage: null };
  private isAsking = false;
  private isMuted = false;
  /** The visitor has muted themselves. */
  private isHushed = false;
  /** Mutes on their way to the node: until they are there, its word is older than the visitor's. */
  private mutings = 0;
  private refusal: Refused | undefined;
  private wasListening = false;
  private called = recall('tribune.name');
  private events: Events | undefined;
  private line: Line | undefined;
  private mic: Mic | undefined;
  private meter = 0;
  private muting: Promise<unknown> = Promise.resolve();
  private readonly at: string;

  constructor(private readonly host: Host) {
    this.at = host.path + '/floor';
    if (recall(this.keptAs())) this.listen();
  }

  values(): Values {
    const { state, ahead } = this.answer;
    const phase = this.line?.phase;
    const isFree = !['requested', 'granted', 'closed'].includes(state);
    return {
      ...(this.line && { staged: true, idle: false }), // The deck makes way for the microphone's.
      f_on: phase === 'on',
      f_coming: phase === 'coming',
      f_lost: phase === 'lost',
      f_mute: this.isMuted,
      ...this.troubles(),
      ['f_' + state]: true,
      f_none: isFree && !this.isAsking,
      f_asking: isFree && this.isAsking,
      f_ahead: ahead > 0,
      ...this.refused(),
      l_ahead: String(ahead),
      l_name: this.called,
    };
  }

  private refused(): Values {
    const { refusal } = this;
    if (!refusal) return {};
    if (refusal.code === 'taken_over') return { f_elsewhere: true };
    // What is no answer of the node's is a network that let us down.
    if (!refusal.code) return { f_unreached: true };
    if (SAID_HERE.has(refusal.code)) return { ['f_' + refusal.code]: true };
    return { f_refused: refusal.message || refusal.code };
  }

  /** What is wrong with one's own sound, and who muted it. */
  private troubles(): Values {
    const { you } = this.answer;
    const { mic } = this;
    const isOpen = this.line?.phase === 'on' && !this.isMuted && !mic?.trouble;
    const isSilent = isOpen && (!!mic?.isDead || !!you?.silent || you?.sound === 'silent');
    return {
      f_by_host: this.isMuted && you?.muted === 'host',
      f_trouble: !!mic?.trouble,
      ...(mic?.trouble && { ['f_mic_' + mic.trouble]: true }),
      f_fell: mic?.fellTo ?? '',
      f_silent: isSilent,
      f_unheard: isOpen && !isSilent && you?.sound === 'lost',
      f_poor: isOpen && you?.sound === 'poor',
      f_echo: isOpen && !!you?.echo,
      f_clips: isOpen && (!!mic?.isClipping || !!you?.clipping),
    };
  }

  name(text: string): void {
    this.called = text;
  }

  act(wish: string): void {
    if (wish === 'ask') this.ask(true);
    else if (wish === 'unask') this.ask(false);
    else if (wish === 'request') void this.request();
    else if (wish === 'release') void this.release();
    else if (wish === 'speak') void this.speak();
    else if (wish === 'hush') this.hush();
    else if (wish === 'mic') void this.mic?.open();
  }

  private keptAs(): string {
    return 'tribune.floor.' + this.host.path.slice(1);
  }

  private ask(isAsking: boolean): void {
    this.isAsking = isAsking;
    this.refusal = undefined;
    this.host.told();
    document.getElementById(isAsking ? 'fname' : 'ask')?.focus();
  }

  private async request(): Promise<void> {
    const name = this.called.trim();
    if (!name) return document.getElementById('fname')?.focus();
    keep('tribune.name', name);
    if (!(await this.send('POST', { name }))) return;
    keep(this.keptAs(), '1');
    this.isAsking = false;
    this.listen();
    this.host.told();
  }

  /** Withdraws, declines or gives back, whichever it is now. */
  private async release(): Promise<void> {
    this.down('ours');
    keep(this.keptAs(), '');
    this.events?.close();
    this.events = undefined;
    await this.send('DELETE');
    this.answer = { state: 'none', ahead: 0, stage: null };
    this.host.told();
  }

  private async send(method: string, body?: unknown): Promise<boolean> {
    this.refusal = undefined;
    try {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const sent = body ? { method, headers, body: JSON.stringify(body) } : { method };
      const answer = await fetch(this.at, sent);
      const text = await answer.text();
      if (!answer.ok) throw refusalOf(answer, text);
      if (text) this.take(JSON.parse(text));
      return true;
    } catch (error) {
      this.refusal = error as Refused;
      this.host.told();
      return false;
    }
  }

  private listen(): void {
    this.events ??= new Events({
      url: this.at,
      told: { message: (data) => this.take(JSON.parse(data)), floor: (data) => this.take(JSON.parse(data)) },
      opened: () => {},
      lost: () => this.look(),
    });
  }

  /** The events broke: what is so now, and whether there is still something to wait for. */
  private async look(): Promise<boolean> {
    try {
      const answer = await fetch(this.at, { headers: { accept: 'application/json' }, cache: 'no-store' });
      if (answer.ok) this.take(await answer.json());
    } catch {
      // Not reached: the next attempt will tell.
    }
    return !!this.events;
  }

  private take(answer: Partial<Answer>): void {
    const before = this.answer.state;
    this.answer = { ...this.answer, ...answer };
    this.follow();
    const { state } = this.answer;
    if (state !== 'granted') this.down('theirs');
    if (state !== 'granted' && state !== 'requested') {
      keep(this.keptAs(), '');
      this.events?.close();
      this.events = undefined;
    }
    const isNews = state !== before && state === 'granted';
    if (isNews && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(200);
    this.host.told();
  }

  /** The green room light: a microphone first, then the line. */
  private async speak(): Promise<void> {
    const { stage } = this.answer;
    if (!stage || this.line) return;
    this.mic ??= new Mic({
      told: () => this.host.told(),
      changed: (track) => void this.line?.speakWith(track),
    });
    await this.mic.open();
    const { track } = this.mic;
    if (!track || this.mic.trouble) return;
    const { player } = this.host;
    this.wasListening = player.isOn;
    if (player.isOn) player.toggle();
    const line = new Line({
      url: stage.whip,
      key: stage.key,
      audio: new Audio(),
      told: () => this.lineChanged(line),
    });
    this.line = line;
    this.isHushed = this.answer.you?.muted === 'self';
    this.turn(!!this.answer.you?.muted);
    line.open(track);
    this.meter = setInterval(() => this.measure(), LEVEL_MS);
  }

  private lineChanged(line: Line): void {
    if (line.phase === 'refused' && line === this.line) {
      this.refusal = line.refusal;
      this.down('theirs');
    }
    this.host.told();
  }

  private measure(): void {
    const meter = document.getElementById('lv') as HTMLMeterElement | null;
    if (meter) meter.value = this.isMuted || this.mic?.trouble ? 0 : (this.mic?.level() ?? 0);
  }

  /** Silent here at once, then there. */
  private hush(): void {
    this.isHushed = !this.isMuted;
    this.turn(this.isHushed);
    this.tellMuted();
  }

  private tellMuted(): void {
    const body = JSON.stringify({ muted: this.isHushed });
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const tell = async () => {
      const said = await fetch(this.at + '/mute', { method: 'POST', headers, body });
      if (said.ok) this.take(await said.json());
    };
    const settle = () => {
      this.mutings--;
      this.obey();
      this.host.told();
    };
    this.mutings++;
    this.muting = this.muting.then(tell).then(settle, settle);
  }

  private turn(muted: boolean): void {
    this.isMuted = muted;
    if (this.mic?.track) this.mic.track.enabled = !muted;
  }

  /** What the node says of who is muted. It never opens a microphone that the visitor closed: it is told
   * again. */
  private follow(): void {
    const { you } = this.answer;
    if (!this.line || !you || this.mutings) return;
    if (this.isHushed && !you.muted) this.tellMuted();
    else this.obey();
  }

  private obey(): void {
    const { you } = this.answer;
    if (!this.line || !you || this.mutings) return;
    const muted = this.isHushed || !!you.muted;
    if (muted !== this.isMuted) this.turn(muted);
  }

  /** Off the stage: the microphone is let go, and the program comes back. */
  private down(word: 'ours' | 'theirs'): void {
    const { line, host } = this;
    if (!line) return;
    this.line = undefined;
    clearInterval(this.meter);
    if (word === 'ours') line.close();
    else line.drop();
    this.mic?.close();
    this.mic = undefined;
    if (this.wasListening && !host.player.isOn) host.player.toggle();
  }
}
