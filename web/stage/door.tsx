// The screens of those who are not on the stage: who are you, you are off, it is over, it never was.

import { useState } from 'preact/hooks';
import { canPasskey, login } from '../wire/passkey';
import type { App } from './app';

export function Door({ app }: { app: App }) {
  const { say, status, passkeys } = app.state;
  const [key, write] = useState('');
  const enter = (event: Event) => {
    event.preventDefault();
    void app.enter(/#key=([\w-]+)/.exec(key)?.[1] ?? key.trim());
  };
  return (
    <>
      <h1>{status?.title ?? say.say('stage')}</h1>
      <p>{say.say('door')}</p>
      <form class="panel" onSubmit={enter}>
        <label class="field">
          {say.say('door_key')}
          <input
            name="key"
            autocomplete="off"
            spellcheck={false}
            required
            value={key}
            onInput={(event) => write(event.currentTarget.value)}
          />
        </label>
        <div class="row">
          <button>{say.say('door_enter')}</button>
          {passkeys && canPasskey() && (
            <button
              type="button"
              class="quiet"
              onClick={() => void app.wish(login().then(() => app.recognise()))}
            >
              {say.say('door_passkey')}
            </button>
          )}
        </div>
      </form>
      <p>
        <a href={`?lang=${say.lang}`}>{say.say('again')}</a>
      </p>
    </>
  );
}

export function Away({ app }: { app: App }) {
  const { say, why } = app.state;
  const isElsewhere = why === 'elsewhere';
  const next = why === 'left' || isElsewhere ? (`away_${why}_next` as const) : 'away_removed_next';
  const key = isElsewhere ? 'away_here' : why === 'left' ? 'away_back' : 'again';
  return (
    <>
      <h1>{say.say(`away_${why || 'left'}`)}</h1>
      <p>{say.say(next)}</p>
      <div class="row">
        <button onClick={() => void (isElsewhere ? app.continueHere() : app.back())}>{say.say(key)}</button>
      </div>
    </>
  );
}

export function Ended({ app }: { app: App }) {
  const { say, status } = app.state;
  const replay = status?.replay;
  return (
    <>
      <h1>{status?.title}</h1>
      <p>{say.say('ended')}</p>
      {replay ? (
        <section class="panel">
          <h2>{say.say('ended_replay')}</h2>
          <audio controls preload="none" src={replay.opus} aria-label={status?.title} />
          <div class="row">
            <a class="button quiet" href={replay.opus} download>
              Opus
            </a>
            <a class="button quiet" href={replay.m4a} download>
              M4A
            </a>
            <a class="button quiet" href={replay.seal}>
              {say.say('ended_seal')}
            </a>
          </div>
        </section>
      ) : (
        <p class="note">{say.say('ended_no_replay')}</p>
      )}
      {status && (
        <dl class="pair">
          <div>
            <dt>{say.say('peak')}</dt>
            <dd class="figure">{say.number(status.peak)}</dd>
          </div>
          <div>
            <dt>{say.say('turned_away')}</dt>
            <dd class="figure low">{say.number(status.turned_away)}</dd>
          </div>
        </dl>
      )}
    </>
  );
}

export function Missing({ app }: { app: App }) {
  const { say } = app.state;
  return (
    <>
      <h1>{say.say('missing_title')}</h1>
      <p>{say.say('missing')}</p>
    </>
  );
}
