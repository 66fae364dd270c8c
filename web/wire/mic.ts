// The microphone: which one, how loud, and what to do when it goes away.

/** `denied` the visitor or the browser said no · `none` there is no microphone · `busy` another program holds
 * it · `lost` it was unplugged and there is no other. */
export type Trouble = '' | 'denied' | 'none' | 'busy' | 'lost';

/** Sound that is at full scale for so many samples in a row is cut off. */
const CLIPPED_SAMPLES = 3;
const FULL_SCALE = 0.985;
const CLIPPED_SAID_MS = 4_000;
/** Below this is not a room: a microphone that is switched off sends nothing at all. */
const DEAD_LEVEL = 0.000_02;
const DEAD_MS = 5_000;
/** The scale of the meters: this many dB below full scale is nothing. */
const FLOOR_DB = 60;
const CONSTRAINTS = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  channelCount: 1,
};

export interface MicSpec {
  /** Something changed. */
  told(): void;
  /** Another track than before is to be sent. */
  changed(track: MediaStreamTrack): void;
}

export class Mic {
  trouble: Trouble = '';
  devices: { id: string; label: string }[] = [];
  track: MediaStreamTrack | undefined;
  /** The microphone that was chosen is gone, and this one took its place. */
  fellTo = '';
  /** When sound was last cut off at full scale, in page time. */
  clippedMs = 0;
  private chosen = '';
  private context: AudioContext | undefined;
  private analyser: AnalyserNode | undefined;
  private source: MediaStreamAudioSourceNode | undefined;
  private samples = new Float32Array(1024);
  private aliveMs = 0;
  private readonly plugged = () => void this.look();

  constructor(private readonly spec: MicSpec) {
    this.chosen = recall('tribune.microphone');
    navigator.mediaDevices?.addEventListener('devicechange', this.plugged);
  }

  /** Asks for the microphone `id`, or for the one chosen before, or for any. */
  async open(id = this.chosen): Promise<void> {
    if (!navigator.mediaDevices) return this.tell('denied');
    try {
      await this.take(await ask(id));
      this.trouble = '';
    } catch (error) {
      const { name } = error as DOMException;
      const lost = this.trouble === 'lost' ? 'lost' : 'none';
      this.trouble = name === 'NotAllowedError' ? 'denied' : name === 'NotReadableError' ? 'busy' : lost;
    }
    this.spec.told();
  }

  async choose(id: string): Promise<void> {
    this.chosen = id;
    this.fellTo = '';
    keep('tribune.microphone', id);
    await this.open(id);
  }

  /** The one in use. */
  get device(): string {
    return this.track?.getSettings().deviceId ?? '';
  }

  get label(): string {
    return this.track?.label ?? '';
  }

  /** How loud it is now: 0 nothing, 1 full scale, by ear (dB). */
  level(): number {
    if (!this.analyser) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    let [sum, run] = [0, 0];
    for (const sample of this.samples) {
      sum += sample * sample;
      run = Math.abs(sample) >= FULL_SCALE ? run + 1 : 0;
      if (run === CLIPPED_SAMPLES) this.clippedMs = Date.now();
    }
    const level = Math.sqrt(sum / this.samples.length);
    if (level > DEAD_LEVEL) this.aliveMs = Date.now();
    return level ? Math.min(1, Math.max(0, 1 + (20 * Math.log10(level)) / FLOOR_DB)) : 0;
  }

  get isClipping(): boolean {
    return Date.now() - this.clippedMs < CLIPPED_SAID_MS;
  }

  /** Nothing whatever has come for a while: switched off at the device or in the system. */
  get isDead(): boolean {
    return !!this.track?.enabled && Date.now() - this.aliveMs > DEAD_MS;
  }

  /** Sound may start only after a click on some browsers: called with each. */
  wake(): void {
    void this.context?.resume();
  }

  close(): void {
    this.drop();
    void this.context?.close();
    this.context = this.analyser = undefined; // An analyser belongs to its context.
  }

  private tell(trouble: Trouble): void {
    this.trouble = trouble;
    this.spec.told();
  }

  private async take(stream: MediaStream): Promise<void> {
    const track = stream.getAudioTracks()[0]!;
    const enabled = this.track?.enabled ?? true;
    this.drop();
    this.track = track;
    track.enabled = enabled;
    this.aliveMs = Date.now();
    track.onended = () => track === this.track && void this.unplugged();
    this.context ??= new AudioContext();
    void this.context.resume();
    this.analyser ??= this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    await this.list();
    this.spec.changed(track);
  }

  private drop(): void {
    this.source?.disconnect();
    this.source = undefined;
    if (this.track) {
      this.track.onended = null;
      this.track.stop();
    }
  }

  private async list(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const mics = all.filter((one) => one.kind === 'audioinput' && one.deviceId);
    this.devices = mics.map(({ deviceId, label }) => ({ id: deviceId, label }));
  }

  private async unplugged(): Promise<void> {
    this.trouble = 'lost';
    await this.open('');
    if (!this.trouble) this.fellTo = this.label;
    this.spec.told();
  }

  /** A device came or went. */
  private async look(): Promise<void> {
    await this.list();
    const isGone = this.track?.readyState === 'ended' || this.trouble === 'lost' || this.trouble === 'none';
    if (isGone && this.devices.length) await this.unplugged();
    else this.spec.told();
  }
}

async function ask(id: string): Promise<MediaStream> {
  const wanted = id ? { ...CONSTRAINTS, deviceId: { exact: id } } : CONSTRAINTS;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wanted });
  } catch (error) {
    if (!id || (error as DOMException).name === 'NotAllowedError') throw error;
    return navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
  }
}

/** What this browser keeps for the visitor; a private window may refuse. */
export function recall(name: string): string {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

export function keep(name: string, value: string): void {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // Not kept: it will be asked again.
  }
}
