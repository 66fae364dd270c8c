// One's own place: the large key, what the others hear of one, the floor, the way out.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Sign } from '../look/signs';
import type { App } from './app';
import { Devices, pathWords } from './green';
import { Meter } from './meter';

/** A press shorter than this turns the key; a longer one holds it. */
const TAP_MS = 300;
const LOOK_MS = 500;

export function Dock({ app }: { app: App }) {
  const { say, muted, isHeld } = app.state;
  const me = app.self();
  const isUp = (!muted || isHeld) && !app.mic.trouble;
  return (
    <section class="dock" aria-label={say.say('yours')}>
      <div class="dock-in">
        <MuteKey app={app} />
        <div class="dock-says">
          <Meter app={app} />
          <p class={isUp && me?.floor === 'holds' ? 'good' : ''} role="status">
            {say.say(ownState(app))}
          </p>
          <Warnings app={app} />
          <p class="soft path">{pathLine(app)}</p>
        </div>
        <div class="dock-acts">
          {me?.floor === 'holds' && (
            <button class="quiet" onClick={() => void app.wish(app.calls.floor('release'))}>
              {say.say('release')}
            </button>
          )}
          {me?.floor === 'none' && (
            <button class="quiet" onClick={() => void app.wish(app.calls.floor('request'))}>
              {say.say('request')}
            </button>
          )}
          {me?.floor === 'requested' && (
            <button class="quiet" onClick={() => void app.wish(app.calls.floor('release'))}>
              {say.say('withdraw')}
            </button>
          )}
          <details class="sheet">
            <summary>
              <Sign of="choose" />
              <span class="vh">{say.say('microphone')}</span>
            </summary>
            <div class="panel">
              <Devices app={app} />
            </div>
          </details>
          <button class="quiet" onClick={() => app.leave()}>
            {say.say('leave')}
          </button>
        </div>
      </div>
    </section>
  );
}

/** Tap to turn; hold to speak for as long. By mouse, finger, Space and Enter alike. */
function MuteKey({ app }: { app: App }) {
  const { say, muted } = app.state;
  const pressed = useRef({ ms: 0, held: false });
  const down = () => {
    if (pressed.current.ms) return;
    pressed.current = { ms: Date.now(), held: muted };
    app.hold(true);
  };
  const up = () => {
    const { ms, held } = pressed.current;
    if (!ms) return;
    pressed.current = { ms: 0, held: false };
    const isTap = Date.now() - ms < TAP_MS;
    if (!held) return isTap ? app.mute(true) : undefined;
    if (!isTap) return app.hold(false);
    app.change({ isHeld: false });
  };
  return (
    <button
      id="mute"
      class={'key' + (muted ? ' is-muted' : '')}
      aria-pressed={muted}
      onPointerDown={down}
      onPointerUp={up}
      onPointerCancel={up}
      onPointerLeave={up}
      onKeyDown={(event) => {
        if (event.key !== ' ' && event.key !== 'Enter') return;
        event.preventDefault();
        if (!event.repeat) down();
      }}
      onKeyUp={(event) => (event.key === ' ' || event.key === 'Enter') && up()}
      onContextMenu={(event) => event.preventDefault()}
    >
      <Sign of={muted ? 'muted' : 'microphone'} />
      {say.say(muted ? 'key_unmute' : 'key_mute')}
    </button>
  );
}

type OwnState =
  | 'own_coming'
  | 'own_lost'
  | 'own_refused'
  | 'own_no_mic'
  | 'own_held'
  | 'own_muted'
  | 'own_muted_host'
  | 'own_no_floor'
  | 'own_asked'
  | 'own_open'
  | 'own_open_live';

/** Whether one is heard, in a sentence. */
function ownState(app: App): OwnState {
  const { muted, isHeld, status } = app.state;
  const me = app.self();
  if (app.line.phase === 'coming') return 'own_coming';
  if (app.line.phase === 'lost') return 'own_lost';
  if (app.line.phase === 'refused') return 'own_refused';
  if (me?.floor === 'none') return 'own_no_floor';
  if (me?.floor === 'requested') return 'own_asked';
  if (app.mic.trouble) return 'own_no_mic';
  if (isHeld) return 'own_held';
  if (muted) return me?.muted === 'host' ? 'own_muted_host' : 'own_muted';
  return status?.state === 'live' ? 'own_open_live' : 'own_open';
}

/** What is wrong with one's own sound, and what to do about it. */
function Warnings({ app }: { app: App }) {
  const { say, muted, isHeld } = app.state;
  const [, look] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => look((times) => times + 1), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const me = app.self();
  const { mic } = app;
  const warnings: string[] = [];
  const isOpen = app.line.phase === 'on' && (!muted || isHeld);
  if (mic.trouble) warnings.push(say.say(`mic_${mic.trouble}`));
  else if (isOpen && (mic.isDead || me?.sound === 'silent')) warnings.push(say.say('mic_dead'));
  else if (isOpen && me?.sound === 'lost') warnings.push(say.say('own_sound_lost'));
  if (mic.fellTo) warnings.push(say.say('mic_fell', { label: mic.fellTo }));
  if (isOpen && me?.echo) warnings.push(say.say('own_echo'));
  if (isOpen && (mic.isClipping || me?.clipping)) warnings.push(say.say('mic_clipping'));
  return (
    <div role="status" class="warnings">
      {warnings.map((warning) => (
        <p class="warn" key={warning}>
          {warning}
        </p>
      ))}
      {mic.trouble && (
        <button class="quiet" onClick={() => void mic.open()}>
          {say.say('mic_again')}
        </button>
      )}
    </div>
  );
}

function pathLine(app: App): string {
  const { say, path } = app.state;
  if (app.line.phase !== 'on' || !path) return '';
  return say.say(`path_by_${path.by}`) + ' ' + pathWords(app, path);
}
