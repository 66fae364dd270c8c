// What every screen has: the masthead, what went wrong, what is said aloud, the foot.

import { useEffect, useRef } from 'preact/hooks';
import type { App } from './app';
import { Away, Door, Ended, Missing } from './door';
import { Green } from './green';
import { Stage } from './stage';

export function Page({ app }: { app: App }) {
  const { state } = app;
  const { say } = state.say;
  useEffect(() => {
    const title = state.status?.title ?? say('stage');
    document.title = (state.screen === 'green' ? say('green_room') : say('stage')) + ' · ' + title;
  });
  return (
    <div class={state.screen === 'stage' ? 'wide' : 'narrow'}>
      <Masthead app={app} />
      <main id="main" tabIndex={-1}>
        {state.refusal && (
          <p class="note bad" role="alert">
            {state.refusal}
          </p>
        )}
        <Screen app={app} />
      </main>
      <p class="vh" role="status">
        {state.news}
      </p>
      <Foot app={app} />
    </div>
  );
}

function Screen({ app }: { app: App }) {
  const { say } = app.state.say;
  switch (app.state.screen) {
    case 'opening':
      return <p class="soft">{say('opening')}</p>;
    case 'door':
      return <Door app={app} />;
    case 'green':
      return <Green app={app} />;
    case 'stage':
      return <Stage app={app} />;
    case 'away':
      return <Away app={app} />;
    case 'ended':
      return <Ended app={app} />;
    case 'missing':
      return <Missing app={app} />;
  }
}

function Masthead({ app }: { app: App }) {
  const { status, say, me, screen } = app.state;
  const state = screen === 'ended' ? 'ended' : status?.state;
  return (
    <header>
      <b>tribune</b>
      {status && (
        <span class={'state ' + (state === 'live' ? 'hot' : state === 'boarding' ? 'soon' : '')}>
          <i />
          {say.say(`state_${state!}`)}
          {state === 'live' && status.started_at && <Since app={app} at={status.started_at} />}
        </span>
      )}
      {me && (
        <span class="who">
          {me.name || say.say(('role_' + me.role) as 'role_host')}
          {me.name && <span class="soft"> · {say.say(('role_' + me.role) as 'role_host')}</span>}
        </span>
      )}
    </header>
  );
}

/** How long it has been live: written each second without drawing the page anew. */
function Since({ app, at }: { app: App; at: string }) {
  const spot = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const write = () => {
      const seconds = (Date.now() - Date.parse(at)) / 1000;
      if (spot.current) spot.current.textContent = app.state.say.lasted(seconds);
    };
    write();
    const timer = setInterval(write, 1000);
    return () => clearInterval(timer);
  }, [at, app.state.say.lang]);
  return <span class="since" ref={spot} />;
}

function Foot({ app }: { app: App }) {
  const { say, me, screen } = app.state;
  const other = say.lang === 'en' ? 'fr' : 'en';
  return (
    <footer>
      <p>{screen === 'stage' ? say.say('keys') : ''}</p>
      <span class="row">
        {me && screen !== 'stage' && (
          <button class="link" onClick={() => void app.goOut()}>
            {say.say('sign_out')}
          </button>
        )}
        <button class="link" lang={other} onClick={() => app.speak(other)}>
          {say.say('other_name')}
        </button>
      </span>
    </footer>
  );
}
