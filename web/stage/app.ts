// The stage page's state, in one place, and everything that changes it. Views read `state` and call the acts;
// the connection and the microphone are modules of their own that tell when they changed.

import {
  Refused,
  roomCalls,
  serverAheadMs,
  signIn,
  signOut,
  signedIn,
  type Person,
  type RoomCalls,
  type StageView,
  type Status,
} from '../wire/api';
import { Events } from '../wire/events';
import { Mic, keep, recall } from '../wire/mic';
import { Place } from '../wire/place';
import { Line } from '../wire/whip';
import { turnTo, words, type Lang } from '../look/words';
import { tryPath } from './path';
import { opening, type State } from './state';
import table from './sentences.json';

const PATH_EVERY_MS = 2_000;
const READY_EVERY_MS = 10_000;
/** Who was on the stage so recently comes back without being asked. */
const REJOIN_MS = 60 * 60_000;
/** Between attempts to be let in by a node that does not answer. */
const RETRY_MS = 1_000;
const RETRY_SPREAD_MS = 2_000;
/** Whoever is not known any more waits so long for the events to say why. */
const WHY_MS = 1_500;

export class App {
  readonly room = decodeURIComponent(location.pathname.split('/')[1] ?? '');
  readonly calls: RoomCalls = roomCalls(this.room);
  readonly audio = new Audio();
  readonly mic = new Mic({
    told: () => this.change({}),
    changed: (track) => void this.line.speakWith(track),
  });
  readonly line = new Line({
    url: `/${this.room}/whip`,
    audio: this.audio,
    told: () => this.lineChanged(),
  });
  state: State = opening();
  private readonly place = new Place(`tribune.stage.${this.room}`);
  private events: Events | undefined;
  /** A key that the node has not yet answered. */
  private key = '';
  private retry = 0;
  /** The visitor wants the stage in this window, whichever has it. */
  private isTaking = false;
  /** The events came back, and no view of the stage since. */
  private isAnew = true;
  private muting: Promise<unknown> = Promise.resolve();
  private mutings = 0;
  /** The visitor has muted themselves: nobody else opens their microphone. */
  private isHushed = false;
  private drawn = false;

  constructor(private readonly draw: () => void) {}

  change(patch: Partial<State>): void {
    Object.assign(this.state, patch);
    if (this.drawn) return;
    this.drawn = true;
    queueMicrotask(() => {
      this.drawn = false;
      this.draw();
    });
  }

  /** One of the visitor's wishes: what the node refuses is shown in its own words. */
  async wish(done: Promise<unknown>, news = ''): Promise<boolean> {
    try {
      const said = await done;
      this.take(said);
      this.change({ refusal: '', news });
      return true;
    } catch (error) {
      this.change({ refusal: this.sentence(error) });
      return false;
    }
  }

  sentence(error: unknown): string {
    const { say } = this.state.say;
    if ((error as Error).name === 'NotAllowedError') return say('passkey_cancelled');
    if (!(error instanceof Refused)) return String((error as Error).message || error);
    if (error.code === 'unreachable') return say('unreachable');
    const own = ('refused_' + error.code) as keyof typeof table;
    return own in table ? say(own) : error.message || say('refused', { status: error.status });
  }

  begin(): void {
    addEventListener('hashchange', () => location.hash.startsWith('#key=') && void this.enter());
    addEventListener('beforeunload', (event) => {
      if (this.isOn()) event.preventDefault();
    });
    document.addEventListener('click', () => this.wake());
    setInterval(() => void this.measure(), PATH_EVERY_MS);
    setInterval(() => void this.lookReady(), READY_EVERY_MS);
    void this.enter();
  }

  speak(lang: Lang): void {
    turnTo(lang);
    this.change({ say: words(table, lang) });
  }

  isOn(): boolean {
    return this.state.screen === 'stage' && this.line.phase !== 'off';
  }

  isRuling(): boolean {
    const role = this.state.me?.role;
    return role === 'host' || role === 'cohost' || role === 'operator';
  }

  isHost(): boolean {
    const role = this.state.me?.role;
    return role === 'host' || role === 'operator';
  }

  self(): Person | undefined {
    const { view } = this.state;
    return view?.people.find((one) => one.id === view.you);
  }

  /** The key of the address, of a form, or of a cookie: whichever says who this is. */
  async enter(key = takeKey()): Promise<void> {
    this.change({ refusal: '' });
    this.key = key;
    await this.signIn();
  }

  /** A key is kept until the node has answered to it: its link may be open nowhere else any more. */
  private async signIn(): Promise<void> {
    clearTimeout(this.retry);
    const { key } = this;
    try {
      if (key) await signIn({ room: this.room, key });
      if (key !== this.key) return;
      this.key = '';
    } catch (error) {
      if (key !== this.key) return;
      if (isPassing(error)) return this.later(error, () => void this.signIn());
      this.key = '';
      return this.change({ screen: 'door', refusal: this.sentence(error) });
    }
    await this.recognise();
  }

  /** Tries again by itself, and says so. */
  private later(error: unknown, work: () => void): void {
    const { say } = this.state.say;
    const isUnreached = error instanceof Refused && error.status === 0;
    const said = this.sentence(error);
    this.change({ refusal: isUnreached ? said : said + ' ' + say('trying') });
    clearTimeout(this.retry);
    this.retry = setTimeout(work, RETRY_MS + Math.random() * RETRY_SPREAD_MS);
  }

  async recognise(): Promise<void> {
    clearTimeout(this.retry);
    try {
      const [who, status] = await Promise.all([signedIn(), this.calls.status()]);
      const mine = who.rooms.find((one) => one.room === this.room);
      const me = mine
        ? { role: mine.role, person: mine.person, name: mine.name ?? '' }
        : who.operator
          ? { role: 'operator' as const, person: null, name: '' }
          : undefined;
      const isElsewhere = await this.place.isTaken();
      this.change({ me, status, isElsewhere, passkeys: !!who.passkeys, why: '', refusal: '' });
      if (status.state === 'ended') return this.change({ screen: 'ended' });
      if (!me) return this.change({ screen: 'door' });
      this.listen();
      void this.lookReady();
      if (me.role === 'operator') return this.change({ screen: 'stage' });
      if (this.mayRejoin(me.name)) return void (await this.rejoin());
      this.change({ screen: 'green' });
      await this.mic.open();
    } catch (error) {
      if (error instanceof Refused && error.code === 'room_unknown')
        return this.change({ screen: 'missing' });
      this.later(error, () => void this.recognise());
    }
  }

  /** Onto the stage, under a name. */
  async join(name: string): Promise<void> {
    if (!this.mic.track) return;
    this.wake();
    const { me } = this.state;
    if (name !== me?.name && !(await this.wish(this.calls.rename(name)))) return;
    keep(this.joinedAs(), String(Date.now()));
    this.place.take();
    this.isTaking = false;
    this.change({ me: me && { ...me, name }, screen: 'stage', why: '', refusal: '', isElsewhere: false });
    this.isHushed = this.state.muted;
    this.turn(this.state.muted);
    this.line.open(this.mic.track);
  }

  leave(): void {
    keep(this.joinedAs(), '');
    this.letGo();
    this.change({ screen: 'away', why: 'left' });
  }

  /** Here and not in the other window. */
  async continueHere(): Promise<void> {
    this.isTaking = true;
    await this.back();
  }

  async back(): Promise<void> {
    this.change({ screen: 'opening', why: '' });
    await this.recognise();
  }

  async goOut(): Promise<void> {
    keep(this.joinedAs(), '');
    this.letGo();
    this.events?.close();
    await this.wish(signOut());
    this.change({ screen: 'door', me: undefined, view: undefined });
  }

  /** Mutes oneself here at once, then there. */
  mute(muted: boolean): void {
    this.isHushed = muted;
    this.turn(muted);
    this.tellMuted(muted);
  }

  private turn(muted: boolean): void {
    if (this.mic.track) this.mic.track.enabled = !muted;
    this.change({ muted });
  }

  hold(isHeld: boolean): void {
    if (isHeld === this.state.isHeld || (isHeld && !this.state.muted)) return;
    this.change({ isHeld });
    this.mute(!isHeld);
  }

  async tryPath(): Promise<void> {
    this.change({ isTrying: true, found: undefined });
    const muted = await this.calls.mute(true).catch(() => undefined);
    const found = await tryPath(`/${this.room}/whip`);
    if (muted) void this.calls.mute(this.state.muted).catch(() => {});
    this.change({ isTrying: false, found });
  }

  async lookInvitations(): Promise<void> {
    const invitations = await this.calls.invitations().catch(() => this.state.invitations);
    this.change({ invitations });
  }

  async lookSeats(): Promise<void> {
    await this.wish(this.calls.seats().then((seats) => this.change({ seats })));
  }

  /** How far this device's clock goes wrong, in seconds. */
  clockOffS(): number {
    return Math.round(Math.abs(serverAheadMs()) / 1000);
  }

  wake(): void {
    this.mic.wake();
    if (this.audio.srcObject && this.audio.paused) this.audio.play().catch(() => {});
  }

  private tellMuted(muted: boolean): void {
    this.mutings++;
    const tell = () => this.calls.mute(muted).then((view) => this.take(view));
    const settle = () => {
      this.mutings--;
      const me = this.self();
      if (me) this.obey(me);
    };
    this.muting = this.muting.then(tell, tell).then(settle, settle);
  }

  private joinedAs(): string {
    return `tribune.joined.${this.room}`;
  }

  private mayRejoin(name: string): boolean {
    if (!name || this.isTaking) return !!name;
    // What another window has is not taken from it unasked.
    return !this.state.isElsewhere && Date.now() - Number(recall(this.joinedAs()) || 0) < REJOIN_MS;
  }

  private async rejoin(): Promise<void> {
    await this.mic.open();
    if (!this.mic.track) return this.change({ screen: 'green' });
    const muted = this.self()?.muted;
    this.change({ muted: muted ? muted !== 'no' : this.state.muted });
    await this.join(this.state.me!.name);
  }

  private listen(): void {
    this.events?.close();
    this.events = new Events({
      url: `/api/v1/rooms/${this.room}/events`,
      told: {
        stage: (data) => this.take(JSON.parse(data)),
        speaking: (data) => this.heard(JSON.parse(data)),
        status: (data) => this.take(JSON.parse(data)),
        gone: (data) => this.out(JSON.parse(data).why === 'removed' ? 'removed' : 'signed_out'),
      },
      opened: () => {
        this.isAnew = true;
        this.change({ isTold: true });
      },
      lost: () => this.lost(),
    });
  }

  /** The events broke: the server restarts, the network is gone, or we are no longer welcome. */
  private async lost(): Promise<boolean> {
    this.change({ isTold: false });
    try {
      this.take(await this.calls.view());
      this.change({ isTold: false }); // What comes next comes by events, and those are not there yet.
      return true;
    } catch (error) {
      if (!(error instanceof Refused) || ![401, 403].includes(error.status)) return true;
      if (error.code === 'sent_away') this.out('removed');
      else this.shut();
      return false;
    }
  }

  /** The node knows us no more. Whether somebody was removed is known to the events: they say so as soon, or
   * a moment later. */
  private shut(): void {
    this.line.drop();
    this.mic.close();
    setTimeout(() => this.out('signed_out'), WHY_MS);
  }

  private out(why: State['why']): void {
    if (this.state.screen === 'away' || this.state.screen === 'ended') return;
    // The window that has the stage now is to find its way back to it.
    if (why !== 'elsewhere') keep(this.joinedAs(), '');
    this.place.leave();
    this.line.drop();
    this.mic.close();
    this.events?.close();
    this.change({ screen: 'away', why });
  }

  /** Takes leave of the stage. */
  private letGo(): void {
    this.place.leave();
    this.line.close();
    this.mic.close();
  }

  /** Whatever comes back from the node that is a view of the stage or a status is the newest there is. */
  private take(said: unknown): void {
    const document = said as Partial<StageView & Status> | undefined;
    if (document?.people) this.takeView(document as StageView);
    else if (document?.seats) this.takeStatus(document as Status);
  }

  private takeView(view: StageView): void {
    const { isAnew } = this;
    this.isAnew = false;
    this.change({ view, isTold: true });
    const me = this.self();
    if (!me) return;
    if (this.state.me && me.role !== this.state.me.role) {
      this.change({ me: { ...this.state.me, role: me.role } });
    }
    if (this.state.screen === 'stage') this.follow(me);
    // The node does not know our line: it was restarted, or the line broke unseen.
    if (isAnew && !me.here && (this.line.phase === 'on' || this.line.phase === 'lost')) this.line.again();
  }

  /** What the node says of who is muted. It never opens a microphone that the visitor closed: where it missed
   * that (it was not reached, or did not know us yet), it is told again. */
  private follow(me: Person): void {
    if (this.mutings || this.state.isHeld) return;
    if (this.isHushed && me.muted === 'no') this.tellMuted(true);
    else this.obey(me);
  }

  private obey(me: Person): void {
    if (this.mutings || this.state.isHeld) return;
    const muted = this.isHushed || me.muted !== 'no';
    if (muted !== this.state.muted) this.turn(muted);
  }

  private takeStatus(status: Status): void {
    this.change({ status });
    if (status.state !== 'ended' || this.state.screen === 'ended') return;
    keep(this.joinedAs(), '');
    this.letGo();
    this.change({ screen: 'ended' });
  }

  private heard({ id, speaking }: { id: string; speaking: boolean }): void {
    const person = this.state.view?.people.find((one) => one.id === id);
    if (!person) return;
    person.speaking = speaking;
    this.change({});
  }

  private lineChanged(): void {
    if (this.line.phase === 'refused') {
      const code = this.line.refusal?.code ?? '';
      if (code === 'taken_over') return this.out('elsewhere');
      if (code === 'sent_away') return this.out('removed');
      if (code === 'key_wrong' || code === 'signed_out') return this.shut();
      this.change({ refusal: this.sentence(this.line.refusal) });
    }
    if (this.line.phase === 'lost') this.events?.hurry();
    if (this.line.phase === 'on') keep(this.joinedAs(), String(Date.now()));
    this.change({});
  }

  private async measure(): Promise<void> {
    if (this.state.screen === 'green') this.change({ isElsewhere: await this.place.isTaken() });
    if (this.line.phase !== 'on') return;
    keep(this.joinedAs(), String(Date.now()));
    const path = await this.line.path();
    if (path) this.change({ path });
  }

  private async lookReady(): Promise<void> {
    if (!this.isHost() || this.state.screen === 'ended') return;
    const recording = await this.calls.recording().catch(() => this.state.recording);
    this.change({ recording });
  }
}

/** Whether asking again may be answered otherwise: the node is not reached, or is in trouble itself. */
function isPassing(error: unknown): boolean {
  return error instanceof Refused && (error.status === 0 || error.status >= 500);
}

/** The key in the fragment, which leaves the address and the history at once. */
function takeKey(): string {
  const found = /^#key=([\w-]+)/.exec(location.hash)?.[1] ?? '';
  if (found) history.replaceState(null, '', location.pathname + location.search);
  return found;
}
