// The stage: who is there and how they are heard, who asks for the floor, and one's own large key.

import { useEffect } from 'preact/hooks';
import type { Person } from '../wire/api';
import type { App } from './app';
import { Desk } from './desk';
import { Dock } from './dock';
import { names } from './green';
import { useLevel } from './meter';
import { Removal } from './removal';

/** Keys that already mean something where the focus is. */
const TAKES_SPACE = 'input, textarea, select, button, a, summary, [contenteditable], dialog';

export function Stage({ app }: { app: App }) {
  const { say, status, view, isTold, me } = app.state;
  useSpace(app);
  const people = view?.people ?? [];
  const speaking = people.filter((one) => one.speaking && one.floor === 'holds' && one.muted === 'no');
  return (
    <>
      <h1>{status?.title}</h1>
      <p class="lead" aria-live="off">
        {speaking.length
          ? say.say(speaking.length === 1 ? 'speaks' : 'speak', {
              names: names(
                say.locale,
                speaking.map((one) => one.name),
              ),
            })
          : say.say(status?.state === 'live' ? 'silence' : 'silence_before')}
        {status && <Listening app={app} />}
      </p>
      {!isTold && (
        <p class="note" role="status">
          {say.say('untold')}
        </p>
      )}
      {status?.notices.slice(-1).map((notice) => (
        <p class="note" key={notice.at}>
          <b>{say.clock(notice.at)}</b> {notice.text}
        </p>
      ))}
      <div class="hall">
        <div>
          <ul class="tiles" aria-label={say.say('people')}>
            {people.map((person) => (
              <Tile key={person.id} app={app} person={person} />
            ))}
            {view?.sources.map(({ name }) => (
              <li key={'source ' + name} class="tile">
                <span class="face" aria-hidden="true">
                  ♪
                </span>
                <p>
                  <b>{name}</b>
                  <span class="soft">{say.say('tile_source')}</span>
                </p>
              </li>
            ))}
          </ul>
          {!people.length && <p class="soft">{say.say('empty')}</p>}
          <Requests app={app} />
        </div>
        {app.isRuling() && <Desk app={app} />}
      </div>
      {me?.role !== 'operator' && <Dock app={app} />}
      <Removal app={app} />
    </>
  );
}

function Listening({ app }: { app: App }) {
  const { say, status } = app.state;
  if (!status || status.state === 'scheduled') return null;
  return <span class="soft"> · {say.say('listening', { count: status.listening })}</span>;
}

/** Space held anywhere on the page: heard for as long. */
function useSpace(app: App): void {
  useEffect(() => {
    const isOurs = (event: KeyboardEvent) =>
      event.code === 'Space' && !(event.target as Element).closest?.(TAKES_SPACE);
    const down = (event: KeyboardEvent) => {
      if (!isOurs(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (!event.repeat) app.hold(true);
    };
    const up = (event: KeyboardEvent) => event.code === 'Space' && app.hold(false);
    const away = () => app.hold(false);
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    addEventListener('blur', away);
    return () => {
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
      removeEventListener('blur', away);
    };
  }, []);
}

function Tile({ app, person }: { app: App; person: Person }) {
  const { say, view } = app.state;
  const isSelf = person.id === view?.you;
  const isHeard = person.speaking && person.muted === 'no' && person.floor === 'holds';
  const face = useLevel<HTMLSpanElement>(app, isSelf);
  const troubles = troublesOf(app, person);
  return (
    <li class={'tile' + (isHeard ? ' speaks' : '') + (person.here ? '' : ' gone')}>
      <span class={'face' + (isSelf ? ' own' : '')} ref={face} aria-hidden="true">
        {initials(person.name)}
      </span>
      <p>
        <b>
          {person.name}
          {isSelf && <span class="soft"> {say.say('you')}</span>}
        </b>
        <span class="soft">
          {person.role !== 'speaker' && say.say(`role_${person.role}`) + ' · '}
          {say.say(stateOf(person))}
          {quality(app, person)}
        </span>
      </p>
      {troubles.length > 0 && (
        <ul class="troubles">
          {troubles.map((trouble) => (
            <li key={trouble}>{trouble}</li>
          ))}
        </ul>
      )}
      {app.isRuling() && !isSelf && <Rule app={app} person={person} />}
    </li>
  );
}

export function initials(name: string): string {
  const parts = name.trim().split(/\s+/);
  const first = (part: string | undefined) => [...(part ?? '')][0] ?? '';
  return (first(parts[0]) + (parts.length > 1 ? first(parts.at(-1)) : '')).toUpperCase();
}

type TileState =
  'tile_gone' | 'tile_muted_host' | 'tile_muted' | 'tile_asks' | 'tile_hears' | 'tile_speaks' | 'tile_open';

/** One person in two words. */
function stateOf(person: Person): TileState {
  if (!person.here) return 'tile_gone';
  if (person.floor === 'requested') return 'tile_asks';
  if (person.floor === 'none') return 'tile_hears';
  if (person.muted === 'host') return 'tile_muted_host';
  if (person.muted === 'self') return 'tile_muted';
  return person.speaking ? 'tile_speaks' : 'tile_open';
}

function quality(app: App, person: Person): string {
  const { say } = app.state.say;
  const { sound } = person;
  if (!person.here || person.floor !== 'holds' || person.muted !== 'no') return '';
  if (sound !== 'good' && sound !== 'fair' && sound !== 'poor') return '';
  return ' · ' + say(`sound_${sound}`);
}

/** What should be put right about somebody's sound, for the host. */
function troublesOf(app: App, person: Person): string[] {
  const { say } = app.state.say;
  const isOpen = person.here && person.floor === 'holds' && person.muted === 'no';
  if (!isOpen) return [];
  const troubles: string[] = [];
  if (person.echo) troubles.push(say('trouble_echo'));
  if (person.clipping) troubles.push(say('trouble_clipping'));
  if (person.sound === 'silent') troubles.push(say('trouble_silent'));
  if (person.sound === 'lost') troubles.push(say('trouble_lost'));
  return troubles;
}

/** What the host may do to one person. */
function Rule({ app, person }: { app: App; person: Person }) {
  const { say, me } = app.state;
  const { calls } = app;
  const { id, name, role } = person;
  const mayTouch = me?.role !== 'cohost' || role === 'speaker' || role === 'listener';
  if (!mayTouch) return null;
  const act = (done: Promise<unknown>, news: string) => void app.wish(done, news);
  const muted = person.muted === 'host';
  const isKeyed = role === 'speaker' || role === 'cohost';
  const next = role === 'cohost' ? 'speaker' : 'cohost';
  return (
    <details class="rule">
      <summary>{say.say('rule', { name })}</summary>
      <div class="row">
        {person.muted !== 'self' && (
          <button
            class="quiet"
            onClick={() => act(calls.mute(!muted, id), say.say(muted ? 'did_unmute' : 'did_mute', { name }))}
          >
            {say.say(muted ? 'unmute_them' : 'mute_them')}
          </button>
        )}
        {person.floor === 'holds' && (
          <button
            class="quiet"
            onClick={() => act(calls.rule('revoke', id), say.say('did_revoke', { name }))}
          >
            {say.say('revoke')}
          </button>
        )}
        {app.isHost() && isKeyed && (
          <button class="quiet" onClick={() => act(calls.role(id, next), say.say('did_role', { name }))}>
            {say.say(next === 'cohost' ? 'make_cohost' : 'make_speaker')}
          </button>
        )}
        <button class="quiet danger" onClick={() => app.change({ removing: { id, name } })}>
          {say.say('remove')}
        </button>
      </div>
    </details>
  );
}

function Requests({ app }: { app: App }) {
  const { say, view } = app.state;
  const { calls } = app;
  const requests = view?.requests ?? [];
  if (!requests.length && !app.isRuling()) return null;
  return (
    <section>
      <h2>
        {say.say('requests')} {requests.length > 0 && <span class="count">{requests.length}</span>}
      </h2>
      {!requests.length && <p class="soft">{say.say('requests_none')}</p>}
      <ol class="requests" aria-live="polite" aria-relevant="additions">
        {requests.map(({ id, name, since }) => (
          <li key={id}>
            <span>
              <b>{name}</b> <span class="soft">{say.say('request_since', { when: say.clock(since) })}</span>
            </span>
            {app.isRuling() && (
              <span class="row">
                <button
                  onClick={() => void app.wish(calls.rule('grant', id), say.say('did_grant', { name }))}
                >
                  {say.say('grant')}
                  <span class="vh"> {name}</span>
                </button>
                <button
                  class="quiet"
                  onClick={() => void app.wish(calls.rule('decline', id), say.say('did_decline', { name }))}
                >
                  {say.say('decline')}
                  <span class="vh"> {name}</span>
                </button>
              </span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
