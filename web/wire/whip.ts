// A speaker's connection to the stage: WHIP (RFC 9725), with the mix-minus coming back on the same line, and
// whatever it takes to have it stand again when the network, the server or the browser let it fall.
//
// A line that broke is offered anew, in the place of the old one (`again`): with ICE-lite on the other side a
// new offer is answered in one round trip, as an ICE restart is, and it also survives a server that forgot.

import { Refused, refusalOf } from './api';
import { backoffMs } from './pace';

/** A break mends by itself within this, or the line is offered anew. */
const BREAK_MS = 700;
/** No packet back for so long on a line that should bring fifty a second (one in 400 ms in a pause). */
const DEAF_MS = 3_000;
/** An offer that is not connected after this is given up for the next. */
const CONNECT_MS = 6_000;
const ANSWER_MS = 5_000;
const WATCH_MS = 1_000;
const FIRST_MS = 150;
/** A stage has a dozen people: asking once a second costs a server nothing, and they are waited for. */
const LONGEST_MS = 1_000;

/** `off` not wanted · `coming` asked for · `on` sound flows · `lost` it broke and is being mended · `refused`
 * the node said no for good. */
export type Phase = 'off' | 'coming' | 'on' | 'lost' | 'refused';

/** What the connection itself measures. */
export interface Path {
  /** How the packets travel. */
  by: 'udp' | 'tcp';
  /** There and back, in ms; -1: not measured yet. */
  roundTripMs: number;
  /** Share of our packets that did not arrive, 0 to 1; -1: not measured yet. */
  lost: number;
}

export interface LineSpec {
  /** Where offers go. */
  url: string;
  /** A key, where no cookie speaks. */
  key?: string;
  /** What the mix-minus is heard with. */
  audio: HTMLAudioElement;
  /** Something changed. */
  told(): void;
}

export class Line {
  phase: Phase = 'off';
  refusal: Refused | undefined;
  /** When it broke, in page time. */
  lostMs = 0;
  private track: MediaStreamTrack | null = null;
  private connection: RTCPeerConnection | undefined;
  private resource: string | undefined;
  private attempt = 0;
  private run = 0;
  private retry = 0;
  private watch = 0;
  private heard = { packets: -1, ms: 0 };
  private readonly online = () => this.again();

  constructor(private readonly spec: LineSpec) {}

  /** Connects, and stays connected until `close`. */
  open(track: MediaStreamTrack): void {
    this.track = track;
    this.attempt = 0;
    this.enter('coming');
    addEventListener('online', this.online);
    clearInterval(this.watch);
    this.watch = setInterval(() => void this.look(), WATCH_MS);
    void this.offer();
  }

  /** Another microphone, without a new offer. */
  async speakWith(track: MediaStreamTrack): Promise<void> {
    this.track = track;
    await this.sender()
      ?.replaceTrack(track)
      .catch(() => this.again());
  }

  /** Offers anew at once: somebody knows that the line is dead. */
  again(): void {
    if (this.phase === 'off' || this.phase === 'refused') return;
    this.attempt = 0;
    this.broke();
  }

  /** Takes leave. */
  close(): void {
    const { resource } = this;
    this.end('off');
    if (resource) this.leave(resource);
  }

  /** The node has ended it already: there is nobody to take leave of. */
  drop(): void {
    this.end('off');
  }

  /** How the packets travel, once they do. */
  async path(): Promise<Path | undefined> {
    const report = await this.connection?.getStats().catch(() => undefined);
    if (!report) return undefined;
    const all = [...report.values()];
    const transport = all.find((one) => one.type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId);
    if (!pair) return undefined;
    const ours = report.get(pair.localCandidateId);
    const far = all.find((one) => one.type === 'remote-inbound-rtp');
    const trip = far?.roundTripTime ?? pair.currentRoundTripTime;
    return {
      by: ours?.protocol === 'tcp' ? 'tcp' : 'udp',
      roundTripMs: typeof trip === 'number' ? Math.round(trip * 1000) : -1,
      lost: typeof far?.fractionLost === 'number' ? far.fractionLost : -1,
    };
  }

  private sender(): RTCRtpSender | undefined {
    return this.connection?.getSenders()[0];
  }

  private enter(phase: Phase): void {
    if (phase === 'lost' && this.phase !== 'lost') this.lostMs = Date.now();
    this.phase = phase;
    this.spec.told();
  }

  private hangUp(): void {
    clearTimeout(this.retry);
    const { connection } = this;
    this.connection = undefined;
    if (!connection) return;
    connection.onconnectionstatechange = connection.ontrack = null;
    connection.close();
  }

  private end(phase: Phase): void {
    this.run++;
    clearInterval(this.watch);
    removeEventListener('online', this.online);
    this.hangUp();
    this.resource = undefined;
    this.spec.audio.srcObject = null;
    this.enter(phase);
  }

  private broke(): void {
    this.run++;
    this.hangUp();
    this.enter(this.phase === 'coming' ? 'coming' : 'lost');
    const waitMs = this.attempt ? backoffMs(this.attempt, { firstMs: FIRST_MS, longestMs: LONGEST_MS }) : 0;
    this.attempt++;
    this.retry = setTimeout(() => void this.offer(), waitMs);
  }

  private async offer(): Promise<void> {
    const run = ++this.run;
    this.hangUp();
    const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.connection = connection;
    this.heard = { packets: -1, ms: Date.now() };
    connection.ontrack = ({ track }) => {
      this.spec.audio.srcObject = new MediaStream([track]);
      this.spec.audio.play().catch(() => {}); // The next click of the visitor starts it: see `Mic`.
    };
    connection.onconnectionstatechange = () => this.changed(connection);
    try {
      connection.addTransceiver(this.track ?? 'audio', { direction: 'sendrecv' });
      await describe(connection);
      const answer = await this.send(connection.localDescription!.sdp);
      if (run !== this.run) return;
      await connection.setRemoteDescription({ type: 'answer', sdp: answer });
      this.retry = setTimeout(() => run === this.run && this.broke(), CONNECT_MS);
    } catch (error) {
      if (run !== this.run) return;
      this.failed(error);
    }
  }

  private async send(sdp: string): Promise<string> {
    const { url, key } = this.spec;
    const again = this.resource?.split('/').pop();
    const address = again ? `${url}${url.includes('?') ? '&' : '?'}again=${again}` : url;
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...bearer(key) },
      body: sdp,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await answer.text();
    if (!answer.ok) throw refusalOf(answer, text);
    const place = answer.headers.get('location');
    this.resource = place ? new URL(place, answer.url).href : undefined;
    return text;
  }

  private failed(error: unknown): void {
    if (!(error instanceof Refused) || !isFinal(error)) return this.broke();
    if (error.status === 404 && this.resource) {
      this.resource = undefined; // The server does not know the old line any more.
      return this.broke();
    }
    this.refusal = error;
    this.end('refused');
  }

  private changed(connection: RTCPeerConnection): void {
    if (connection !== this.connection) return;
    const state = connection.connectionState;
    if (state === 'connected') {
      clearTimeout(this.retry);
      this.attempt = 0;
      this.heard.ms = Date.now();
      this.enter('on');
    } else if (state === 'failed' || state === 'closed') {
      this.broke();
    } else if (state === 'disconnected') {
      clearTimeout(this.retry);
      this.enter('lost');
      this.retry = setTimeout(() => connection === this.connection && this.broke(), BREAK_MS);
    }
  }

  /** A line can stand and bring nothing: then it is offered anew too. */
  private async look(): Promise<void> {
    const { connection } = this;
    if (connection?.connectionState !== 'connected') return;
    const report = await connection.getStats().catch(() => undefined);
    if (!report || connection !== this.connection) return;
    const come = [...report.values()].find((one) => one.type === 'inbound-rtp');
    const packets = come?.packetsReceived ?? -1;
    const now = Date.now();
    if (packets !== this.heard.packets) this.heard = { packets, ms: now };
    else if (now - this.heard.ms > DEAF_MS) this.broke();
  }

  private leave(resource: string): void {
    fetch(resource, { method: 'DELETE', headers: bearer(this.spec.key), keepalive: true }).catch(() => {});
  }
}

/** Whether asking again is no use. A line that was taken over by another window of the same person must not
 * take it back by itself: the two would fight for ever. */
function isFinal({ code, status }: Refused): boolean {
  if (code === 'taken_over') return true;
  return status > 0 && status < 500 && ![408, 409, 425, 429].includes(status);
}

function bearer(key: string | undefined): Record<string, string> {
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Our side of the offer, with a line that lets lost packets be asked for: browsers know how to send them
 * again and do not say so for speech. */
async function describe(connection: RTCPeerConnection): Promise<void> {
  const { sdp } = await connection.createOffer();
  const opus = /a=rtpmap:(\d+) opus\/48000/i.exec(sdp!)?.[1];
  const asked = opus && sdp!.replace(`a=rtpmap:${opus} `, `a=rtcp-fb:${opus} nack\r\na=rtpmap:${opus} `);
  try {
    await connection.setLocalDescription({ type: 'offer', sdp: asked || sdp! });
  } catch {
    await connection.setLocalDescription();
  }
}
