// What the operator sees: the rooms, one room's evening, who did what.

import { useEffect, useRef, useState } from 'preact/hooks';
import { canPasskey, login, register } from '../wire/passkey';
import type { Act, Console, Row } from './console';
import { Figure } from './figure';
import { Guard, Says } from './guard';
import { Plot, Table } from './plot';
import table from './sentences.json';

/** A clock that goes wrong by more is worth a word. */
const CLOCK_OFF_S = 3;
const ACTS_SHOWN = 12;

export function Page({ app }: { app: Console }) {
  const { screen, say, refusal, news, isReached } = app.state;
  useEffect(() => {
    document.title = say.say('console') + ' · ' + (app.state.status?.title ?? 'tribune');
  });
  return (
    <div class={screen === 'rooms' ? 'wide' : 'narrow'}>
      <Masthead app={app} />
      <main id="main">
        {refusal && (
          <p class="note bad" role="alert">
            {refusal}
          </p>
        )}
        {!isReached && (
          <p class="note" role="status">
            {say.say('unreachable')}
          </p>
        )}
        {screen === 'opening' && <p class="soft">{say.say('opening')}</p>}
        {screen === 'door' && <Door app={app} />}
        {screen === 'rooms' && <Rooms app={app} />}
      </main>
      <p class="vh" role="status">
        {news}
      </p>
      <Foot app={app} />
    </div>
  );
}

function Masthead({ app }: { app: Console }) {
  const { say, screen } = app.state;
  const off = app.clockOffS();
  return (
    <header>
      <b>tribune</b>
      <span>
        {say.say('console')} · <Now app={app} />
      </span>
      {screen === 'rooms' && (
        <span class={'who ' + (off > CLOCK_OFF_S ? 'warn' : 'soft')}>
          {off > CLOCK_OFF_S ? say.say('clock_off', { off }) : say.say('clock_good')}
          {app.version && ' · ' + say.say('version', { version: app.version })}
        </span>
      )}
    </header>
  );
}

function Now({ app }: { app: Console }) {
  const spot = useRef<HTMLTimeElement>(null);
  useEffect(() => {
    const write = () => {
      if (spot.current) spot.current.textContent = app.state.say.second(Date.now());
    };
    write();
    const timer = setInterval(write, 1000);
    return () => clearInterval(timer);
  }, []);
  return <time ref={spot} />;
}

function Foot({ app }: { app: Console }) {
  const { say, screen, passkeys } = app.state;
  const other = say.lang === 'en' ? 'fr' : 'en';
  const isIn = screen === 'rooms';
  return (
    <footer>
      <span class="row">
        {isIn && (
          <button class="link" onClick={() => print()}>
            {say.say('print')}
          </button>
        )}
        {isIn && passkeys && canPasskey() && (
          <button class="link" onClick={() => void app.wish(register(null), say.say('did_passkey'))}>
            {say.say('passkey')}
          </button>
        )}
        {isIn && (
          <button class="link" onClick={() => void app.goOut()}>
            {say.say('sign_out')}
          </button>
        )}
      </span>
      <button class="link" lang={other} onClick={() => app.speak(other)}>
        {say.say('other_name')}
      </button>
    </footer>
  );
}

function Door({ app }: { app: Console }) {
  const { say, passkeys } = app.state;
  const [key, write] = useState('');
  return (
    <>
      <h1>{say.say('console')}</h1>
      <p>{say.say('door')}</p>
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void app.enter(key);
        }}
      >
        <label class="field">
          {say.say('door_key')}
          <input
            type="password"
            name="key"
            autocomplete="current-password"
            required
            value={key}
            onInput={(event) => write(event.currentTarget.value)}
          />
        </label>
        <p class="soft">{say.say('door_key_why')}</p>
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
    </>
  );
}

function Rooms({ app }: { app: Console }) {
  const { say, rooms } = app.state;
  const live = rooms.filter((row) => row.state === 'live').length;
  const all = rooms.reduce((sum, row) => sum + (row.status?.listening ?? 0), 0);
  if (!rooms.length) {
    return (
      <>
        <h1>{say.say('head_none')}</h1>
        <p>
          <code>{say.say('make_room')}</code>
        </p>
        <Says app={app} />
        <Guard app={app} />
      </>
    );
  }
  return (
    <>
      <h1>{live ? say.say('head_live', { count: live }) : say.say('head_quiet')}</h1>
      <p class="lead">{say.say('sum', { count: all })}</p>
      <Says app={app} />
      <nav aria-label={say.say('rooms')}>
        <ul class="rooms">
          {rooms.map((row) => (
            <RoomRow key={row.room} app={app} row={row} />
          ))}
        </ul>
      </nav>
      {app.state.room && <Room app={app} />}
      <Guard app={app} />
    </>
  );
}

function RoomRow({ app, row }: { app: Console; row: Row }) {
  const { say, room } = app.state;
  const { status, state } = row;
  const when = row.started_at ?? row.starts_at;
  return (
    <li>
      <button
        class="roomrow"
        aria-current={row.room === room ? 'true' : undefined}
        onClick={() => app.look(row.room)}
      >
        <span class="title">
          <b>{row.title}</b>
          <span class={'state ' + (state === 'live' ? 'hot' : state === 'boarding' ? 'soon' : 'soft')}>
            <i />
            {say.say(`state_${state}`)}
            {when && <span class="since">{say.day(when)}</span>}
          </span>
        </span>
        {status && (
          <>
            <Count of={say.number(status.listening)} is={say.say('listening')} />
            <Count of={say.number(status.turned_away)} is={say.say('turned_away')} />
            <Count of={say.number(status.seats.cap)} is={say.say('capacity')} />
          </>
        )}
      </button>
    </li>
  );
}

function Count({ of, is }: { of: string; is: string }) {
  return (
    <span class="n">
      <b>{of}</b> <span>{is}</span>
    </span>
  );
}

function Room({ app }: { app: Console }) {
  const { say, status, room, isTold } = app.state;
  if (!status) return <p class="soft">{say.say('opening')}</p>;
  return (
    <article aria-labelledby="room">
      <div class="head">
        <h2 id="room">{status.title}</h2>
        <a href={`/${room}/stage`}>{say.say('open_desk')}</a>
        <a href={`${app.publicBase}/${room}`}>{say.say('open_page')}</a>
      </div>
      {!isTold && (
        <p class="note" role="status">
          {say.say('untold')}
        </p>
      )}
      <dl class="pair">
        <Figure of={say.number(status.listening)} is={say.say('listening')} />
        <Figure of={say.number(status.peak)} is={say.say('peak')} low />
        <Figure of={say.number(status.turned_away)} is={say.say('turned_away')} low />
        <Figure of={say.number(status.replays)} is={say.say('replays')} low />
      </dl>
      <Plot evening={app.evening} say={say} known={app.evening.points.length} />
      <Table evening={app.evening} say={say} />
      <div class="cards">
        <Seats app={app} />
        <Recorded app={app} />
        <OnStage app={app} />
        <Notices app={app} />
        <Acts app={app} />
      </div>
    </article>
  );
}

function Seats({ app }: { app: Console }) {
  const { say, status } = app.state;
  const { cap, cap_why, taken } = status!.seats;
  return (
    <section class="panel">
      <h3>{say.say('seats')}</h3>
      <p class="figure low">
        {say.number(taken)} <span class="soft">{say.say('taken_of', { cap })}</span>
      </p>
      <div class="bar" aria-hidden="true">
        <i style={{ width: `${Math.min(100, (100 * taken) / Math.max(1, cap))}%` }} />
      </div>
      <p class="soft">{cap_why}</p>
    </section>
  );
}

function Recorded({ app }: { app: Console }) {
  const { say, status, recording } = app.state;
  const failing = recording?.failing;
  return (
    <section class="panel">
      <h3>{say.say('recording')}</h3>
      {failing && (
        <p class="warn" role="alert">
          {say.say('recording_failing', {
            since: say.clock(failing.since),
            why: failing.why,
            count: failing.lost_parts,
          })}
        </p>
      )}
      <p>
        {recording?.bytes
          ? say.say('recording_has', {
              length: say.lasted(recording.seconds),
              size: size(say.locale, recording.bytes),
            })
          : say.say('recording_none')}
      </p>
      {recording && !failing && <p class="good">{say.say('recording_well')}</p>}
      <p class="soft">{say.say('sealed', { count: status!.program.parts })}</p>
    </section>
  );
}

function size(locale: string, bytes: number): string {
  const isBig = bytes >= 1e9;
  const unit = isBig ? 'gigabyte' : 'megabyte';
  const form = { style: 'unit', unit, maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale, form).format(bytes / (isBig ? 1e9 : 1e6));
}

function OnStage({ app }: { app: Console }) {
  const { say, view } = app.state;
  const here = view?.people.filter((one) => one.here) ?? [];
  if (!view) return null;
  return (
    <section class="panel">
      <h3>{say.say('on_stage')}</h3>
      {here.length || view.sources.length ? (
        <ul class="list">
          {here.map((one) => (
            <li key={one.id}>
              <b>{one.name}</b> <span class="soft">{say.say(`role_${one.role}`)}</span>
            </li>
          ))}
          {view.sources.map(({ name }) => (
            <li key={'source ' + name}>
              <b>{name}</b> <span class="soft">♪</span>
            </li>
          ))}
        </ul>
      ) : (
        <p class="soft">{say.say('on_stage_none')}</p>
      )}
    </section>
  );
}

function Notices({ app }: { app: Console }) {
  const { say, status } = app.state;
  const notices = [...status!.notices].reverse();
  return (
    <section class="panel">
      <h3>{say.say('notices')}</h3>
      {!notices.length && <p class="soft">{say.say('notices_none')}</p>}
      <ul class="list">
        {notices.map(({ at, text }) => (
          <li key={at}>
            <span>
              <time class="soft">{say.clock(at)}</time> {text}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Acts({ app }: { app: Console }) {
  const { say, acts } = app.state;
  return (
    <section class="panel">
      <h3>{say.say('acts')}</h3>
      {!acts.length && <p class="soft">{say.say('acts_none')}</p>}
      <ul class="list">
        {acts.slice(0, ACTS_SHOWN).map((act, i) => (
          <li key={act.at + i}>
            <span>
              <time class="soft">{say.second(act.at)}</time> {deed(app, act)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Who did what, to whom, and what came of it. */
function deed(app: Console, { by, name, act, whom_name, outcome, message }: Act): string {
  const { say, lang } = app.state.say;
  type Name = keyof typeof table;
  const known = (key: string, otherwise: string, whom = '') =>
    key in table ? say(key as Name, { whom }) : otherwise;
  const who = name ? `${name} (${known('role_' + by, by)})` : known('by_' + by, by);
  const did = known('act_' + act, act, whom_name || say('somebody'));
  // What is done to nobody may concern something that somebody has: an invitation with a label, a passkey.
  const isSaid = !whom_name || whom_name === name || did.includes(whom_name);
  const said = `${who} ${did}` + (isSaid ? '' : ` (${whom_name})`);
  const upper = said.charAt(0).toLocaleUpperCase(lang) + said.slice(1);
  if (outcome === 'done') return upper;
  return `${upper} · ${say('act_refused', { why: known('why_' + outcome, message || outcome) })}`;
}
