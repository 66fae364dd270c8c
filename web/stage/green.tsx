// The green room: a microphone that works, a path that carries, and what it means to be on this stage.

import { useEffect, useState } from 'preact/hooks';
import { Sign } from '../look/signs';
import { keep, recall } from '../wire/mic';
import type { App } from './app';
import { Meter } from './meter';

const RECORD_MS = 4_000;
const NAME_CHARS_MAX = 40;
/** From here on a path is worth a warning. */
const FAR_MS = 250;
const LOSSY = 0.03;

export function Green({ app }: { app: App }) {
  const { say, me, status, view } = app.state;
  const acceptedAs = `tribune.accepted.${app.room}`;
  const [name, write] = useState(me?.name || recall('tribune.name'));
  const [accepted, accept] = useState(!!recall(acceptedAs));
  const others = view?.people.filter((one) => one.here && one.id !== view.you) ?? [];
  const join = (event: Event) => {
    event.preventDefault();
    keep('tribune.name', name.trim());
    keep(acceptedAs, '1');
    void app.join(name.trim());
  };
  return (
    <form onSubmit={join} aria-labelledby="room">
      <p class="over">{say.say('green_room')}</p>
      <h1 id="room">{status?.title}</h1>
      <p>
        {others.length
          ? say.say('green_others', {
              names: names(
                say.locale,
                others.map((one) => one.name),
              ),
            })
          : say.say('green_first')}{' '}
        {status?.starts_at &&
          status.state !== 'live' &&
          say.say('starts', { when: say.day(status.starts_at) })}
      </p>
      {app.state.isElsewhere && (
        <p class="note" role="status">
          {say.say('green_elsewhere')}
        </p>
      )}
      <div class="steps">
        <section class="panel">
          <h2>{say.say('green_name')}</h2>
          <label class="field">
            {say.say('green_name_why')}
            <input
              name="name"
              autocomplete="name"
              required
              maxLength={NAME_CHARS_MAX}
              value={name}
              onInput={(event) => write(event.currentTarget.value)}
            />
          </label>
        </section>
        <Microphone app={app} />
        <PathTest app={app} />
        <section class="panel">
          <h2>{say.say('green_public')}</h2>
          <p>{say.say('green_public_why')}</p>
          <label class="check">
            <input
              type="checkbox"
              name="accept"
              checked={accepted}
              onChange={(event) => accept(event.currentTarget.checked)}
            />
            {say.say('green_accept')}
          </label>
        </section>
      </div>
      <div class="join">
        <button class="big" disabled={!accepted || !name.trim() || !app.mic.track}>
          {say.say('join')}
        </button>
        <label class="check">
          <input
            type="checkbox"
            name="muted"
            checked={app.state.muted}
            onChange={(event) => app.change({ muted: event.currentTarget.checked })}
          />
          {say.say('join_muted')}
        </label>
        <p class="soft">{why(app, name, accepted)}</p>
      </div>
    </form>
  );
}

/** What is still to be done before one can join. */
function why(app: App, name: string, accepted: boolean): string {
  const { say } = app.state.say;
  if (!app.mic.track) return say('join_needs_microphone');
  if (!name.trim()) return say('join_needs_name');
  return accepted ? say('join_next') : say('join_needs_accept');
}

export function names(locale: string, all: string[]): string {
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(all);
}

function Microphone({ app }: { app: App }) {
  const { say } = app.state;
  const { mic } = app;
  return (
    <section class="panel">
      <h2>{say.say('microphone')}</h2>
      {mic.trouble ? (
        <div class="note bad" role="alert">
          <p>{say.say(`mic_${mic.trouble}`)}</p>
          <button type="button" class="quiet" onClick={() => void mic.open()}>
            {say.say('mic_again')}
          </button>
        </div>
      ) : (
        <>
          <Devices app={app} />
          <Meter app={app} />
          <Hearing app={app} />
        </>
      )}
      <HearBack app={app} />
      <p class="soft">{say.say('headphones')}</p>
    </section>
  );
}

export function Devices({ app }: { app: App }) {
  const { say } = app.state;
  const { mic } = app;
  if (!mic.devices.length) return null;
  return (
    <label class="field">
      {say.say('microphone_which')}
      <select
        name="microphone"
        value={mic.device}
        onChange={(event) => void mic.choose(event.currentTarget.value)}
      >
        {mic.devices.map(({ id, label }, i) => (
          <option key={id} value={id}>
            {label || say.say('microphone_nth', { n: i + 1 })}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The level in words, looked at once a second. */
function Hearing({ app }: { app: App }) {
  const { say } = app.state;
  const [heard, hear] = useState<'mic_wait' | 'mic_heard' | 'mic_dead' | 'mic_clipping'>('mic_wait');
  useEffect(() => {
    const timer = setInterval(() => {
      const { mic } = app;
      if (mic.isClipping) hear('mic_clipping');
      else if (mic.isDead) hear('mic_dead');
      else if (mic.level() > 0.45) hear('mic_heard');
    }, 250);
    return () => clearInterval(timer);
  }, []);
  return (
    <p class={heard === 'mic_heard' ? 'good' : heard === 'mic_wait' ? 'soft' : 'warn'} role="status">
      {say.say(heard)}
    </p>
  );
}

/** Four seconds of oneself, to hear what the others would. */
function HearBack({ app }: { app: App }) {
  const { say } = app.state;
  const [phase, enter] = useState<'idle' | 'takes' | 'plays'>('idle');
  const begin = async () => {
    const { track } = app.mic;
    if (!track) return;
    enter('takes');
    const sound = await record(track);
    enter('plays');
    await play(sound);
    enter('idle');
  };
  if (!window.MediaRecorder || !app.mic.track) return null;
  return (
    <p>
      <button type="button" class="quiet" disabled={phase !== 'idle'} onClick={() => void begin()}>
        <Sign of={phase === 'takes' ? 'microphone' : 'play'} />
        {say.say(`hear_${phase}`)}
      </button>
    </p>
  );
}

function record(track: MediaStreamTrack): Promise<Blob> {
  return new Promise((done) => {
    const recorder = new MediaRecorder(new MediaStream([track]));
    const chunks: Blob[] = [];
    recorder.ondataavailable = ({ data }) => chunks.push(data);
    recorder.onstop = () => done(new Blob(chunks, { type: recorder.mimeType }));
    recorder.start();
    setTimeout(() => recorder.stop(), RECORD_MS);
  });
}

function play(sound: Blob): Promise<void> {
  const url = URL.createObjectURL(sound);
  const audio = new Audio(url);
  return new Promise<void>((done) => {
    audio.onended = audio.onerror = () => done();
    audio.play().catch(() => done());
  }).finally(() => URL.revokeObjectURL(url));
}

function PathTest({ app }: { app: App }) {
  const { say, found, isTrying, isElsewhere } = app.state;
  return (
    <section class="panel">
      <h2>{say.say('path')}</h2>
      <p>{say.say(isElsewhere ? 'path_elsewhere' : 'path_why')}</p>
      <p>
        <button
          type="button"
          class="quiet"
          disabled={isTrying || isElsewhere}
          onClick={() => void app.tryPath()}
        >
          {say.say(isTrying ? 'path_trying' : found ? 'path_again' : 'path_try')}
        </button>
      </p>
      <div role="status">{found && <Found app={app} />}</div>
    </section>
  );
}

function Found({ app }: { app: App }) {
  const { say, found } = app.state;
  if (found === 'closed' || found === 'refused') return <p class="warn">{say.say(`path_${found}`)}</p>;
  if (!found) return null;
  const bad = found.by === 'tcp' || found.roundTripMs > FAR_MS || found.lost > LOSSY;
  return (
    <p class={bad ? 'warn' : 'good'}>
      {say.say(`path_${found.by}`)} {pathWords(app, found)}
    </p>
  );
}

/** Round trip and loss, as far as they are known. */
export function pathWords(app: App, path: { roundTripMs: number; lost: number }): string {
  const { say, number } = app.state.say;
  const trip = path.roundTripMs < 0 ? '' : say('path_trip', { ms: number(path.roundTripMs) });
  if (path.lost < 0) return trip;
  const share = Math.round(path.lost * 100);
  return trip + ' ' + (share ? say('path_lost', { share }) : say('path_whole'));
}
