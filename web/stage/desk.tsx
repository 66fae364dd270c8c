// The host's desk: is everything ready, go live and end, who else may come, what everybody is told, how many
// may listen, when it starts, who is signed in.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Status } from '../wire/api';
import { canPasskey, forget, passkeys, register, type Passkey } from '../wire/passkey';
import type { App } from './app';
import { Invitations } from './invitations';

/** A clock that goes wrong by more is worth a word. */
const CLOCK_OFF_S = 3;
const NOTICE_CHARS_MAX = 280;
/** The draw is held so long before the start. */
const DRAW_BEFORE_MS = 60_000;

export function Desk({ app }: { app: App }) {
  return (
    <aside class="desk" aria-label={app.state.say.say('desk')}>
      <Evening app={app} />
      <Invitations app={app} />
      <Notice app={app} />
      {app.isHost() && <Cap app={app} />}
      {app.isHost() && app.state.status?.state !== 'live' && <Start app={app} />}
      {app.isHost() && <Seats app={app} />}
      {app.state.passkeys && canPasskey() && app.state.me?.role !== 'operator' && <Passkeys app={app} />}
    </aside>
  );
}

function Evening({ app }: { app: App }) {
  const { say, status } = app.state;
  const isLive = status?.state === 'live';
  return (
    <section class="panel">
      <h2>{say.say(isLive ? 'evening_live' : 'evening')}</h2>
      <Ready app={app} />
      <div class="row">
        {!isLive && (
          <button class="big go" onClick={() => void app.wish(app.calls.live(), say.say('did_live'))}>
            {say.say('go_live')}
          </button>
        )}
        {app.isHost() && isLive && <End app={app} />}
      </div>
      {!isLive && <p class="soft">{say.say('go_live_next')}</p>}
    </section>
  );
}

/** What a host wants to know before the start: each line a fact of the node's or of this browser's. */
function Ready({ app }: { app: App }) {
  const { say, status, view, recording } = app.state;
  const here = view?.people.filter((one) => one.here) ?? [];
  const deaf = here.filter((one) => one.sound === 'silent' || one.sound === 'lost');
  const off = app.clockOffS();
  const lines: [boolean | undefined, string][] = [
    [
      here.length > 0,
      here.length ? say.say('ready_people', { count: here.length }) : say.say('ready_nobody'),
    ],
  ];
  if (deaf.length) {
    const unheard = new Intl.ListFormat(say.locale).format(deaf.map((one) => one.name));
    lines.push([false, say.say('ready_deaf', { names: unheard })]);
  }
  if (recording) {
    const why = recording.failing?.why ?? '';
    lines.push([!why, why ? say.say('ready_recording_failing', { why }) : say.say('ready_recording')]);
  }
  if (status) {
    lines.push([undefined, say.say('ready_cap', { count: status.seats.cap })]);
    lines.push([undefined, say.say('ready_listening', { count: status.listening })]);
  }
  lines.push([
    off <= CLOCK_OFF_S,
    off > CLOCK_OFF_S ? say.say('ready_clock_off', { off }) : say.say('ready_clock'),
  ]);
  return (
    <ul class="ready">
      {lines.map(([isGood, line]) => (
        <li key={line} class={isGood === undefined ? '' : isGood ? 'yes' : 'no'}>
          {isGood !== undefined && <span class="vh">{say.say(isGood ? 'ready_yes' : 'ready_no')}</span>}
          {line}
        </li>
      ))}
    </ul>
  );
}

/** Ending is for good: it asks once. */
function End({ app }: { app: App }) {
  const { say } = app.state;
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, work] = useState(false);
  const end = async () => {
    work(true);
    await app.wish(app.calls.end(), say.say('did_end'));
    dialog.current?.close();
    work(false);
  };
  return (
    <>
      <button class="quiet danger" onClick={() => dialog.current?.showModal()}>
        {say.say('end')}
      </button>
      <dialog ref={dialog} aria-labelledby="end-title">
        <h2 id="end-title">{say.say('end_sure')}</h2>
        <p>{say.say('end_next')}</p>
        <div class="row">
          <button class="danger" disabled={busy} onClick={() => void end()}>
            {say.say(busy ? 'end_busy' : 'end_yes')}
          </button>
          <button class="quiet" autofocus onClick={() => dialog.current?.close()}>
            {say.say('end_no')}
          </button>
        </div>
      </dialog>
    </>
  );
}

function Notice({ app }: { app: App }) {
  const { say } = app.state;
  const [text, write] = useState('');
  const publish = async (event: Event) => {
    event.preventDefault();
    if (await app.wish(app.calls.notice(text.trim()), say.say('did_notice'))) write('');
  };
  return (
    <details class="panel">
      <summary>{say.say('notice')}</summary>
      <form onSubmit={(event) => void publish(event)}>
        <label class="field">
          {say.say('notice_why')}
          <textarea
            rows={3}
            required
            maxLength={NOTICE_CHARS_MAX}
            value={text}
            onInput={(event) => write(event.currentTarget.value)}
          />
        </label>
        <button disabled={!text.trim()}>{say.say('notice_publish')}</button>
      </form>
    </details>
  );
}

/** How many may listen, and what that means for those who are here. */
function Cap({ app }: { app: App }) {
  const { say, status } = app.state;
  const now = status?.seats.cap ?? 0;
  const [wanted, want] = useState<number | undefined>();
  const [most, reach] = useState(now);
  useEffect(() => reach((before) => Math.max(before, now)), [now]);
  if (!status) return null;
  const cap = wanted ?? now;
  const { taken, measured } = status.seats;
  const isAbove = typeof measured === 'number' && cap > measured;
  const set = async (to: number | null) => {
    if (await app.wish(app.calls.cap(to, to !== null && isAbove), say.say('did_cap'))) want(undefined);
  };
  return (
    <details class="panel">
      <summary>
        {say.say('cap')} <span class="count">{say.number(now)}</span>
      </summary>
      <label class="field">
        {say.say('cap_most')}
        <input
          type="number"
          name="cap"
          min={0}
          max={10_000_000}
          value={cap}
          onInput={(event) => want(event.currentTarget.valueAsNumber || 0)}
        />
      </label>
      <input
        type="range"
        min={0}
        max={most}
        value={Math.min(cap, most)}
        aria-label={say.say('cap_most')}
        onInput={(event) => want(event.currentTarget.valueAsNumber)}
      />
      <p class="soft" role="status">
        {consequence(app, cap, taken)}
        {cap !== now && waits(app, cap - now)}
        {isAbove && ` ${say.say('cap_above', { count: measured })}`}
      </p>
      <div class="row">
        <button disabled={wanted === undefined || wanted === now} onClick={() => void set(cap)}>
          {say.say(isAbove ? 'cap_override' : 'cap_set')}
        </button>
        <button class="quiet" onClick={() => void set(null)}>
          {say.say('cap_none')}
        </button>
      </div>
      <p class="soft">{status.seats.cap_why}</p>
    </details>
  );
}

function consequence(app: App, cap: number, taken: number): string {
  const { say } = app.state.say;
  if (cap > taken) return say('cap_more', { count: cap - taken });
  if (cap === 0 && taken === 0) return say('cap_nobody');
  return cap === taken ? say('cap_full', { count: taken }) : say('cap_fewer', { count: taken - cap });
}

/** What so many seats more, or fewer, mean for those in line. */
function waits(app: App, more: number): string {
  const { say, status } = app.state;
  const waiting = status?.waiting ?? 0;
  if (!waiting) return '';
  const aSecond = status?.rate?.p50 ?? 0;
  if (!aSecond) return ` ${say.say('cap_line', { count: waiting })}`;
  const minutes = Math.ceil(Math.min(Math.abs(more), more > 0 ? waiting : Infinity) / aSecond / 60);
  return ` ${say.say(more > 0 ? 'cap_sooner' : 'cap_longer', { count: waiting, minutes })}`;
}

/** When it starts, and what another start would mean for those who wait. */
function Start({ app }: { app: App }) {
  const { say, status } = app.state;
  const announced = status?.starts_at ?? null;
  const [wanted, want] = useState<number | undefined>();
  if (!status) return null;
  const from = wanted ?? (announced ? Date.parse(announced) : Date.now());
  const set = async (event: Event) => {
    event.preventDefault();
    if (wanted === undefined) return;
    const done = app.calls.starts(new Date(wanted).toISOString());
    if (await app.wish(done, say.say('did_start'))) want(undefined);
  };
  return (
    <details class="panel">
      <summary>
        {say.say('start')} {announced && <span class="count">{say.clock(announced)}</span>}
      </summary>
      <p>{announced ? say.say('start_at', { when: say.day(announced) }) : say.say('start_unset')}</p>
      <div class="row">
        {[-5, 5, 10, 30].map((minutes) => (
          <button class="quiet" key={minutes} onClick={() => want(from + minutes * 60_000)}>
            {say.say(minutes < 0 ? 'start_earlier' : 'start_later', { minutes: Math.abs(minutes) })}
          </button>
        ))}
      </div>
      <form onSubmit={(event) => void set(event)}>
        <label class="field">
          {say.say('start_exact')}
          <input
            type="datetime-local"
            required
            value={wanted === undefined ? '' : local(wanted)}
            onInput={(event) => want(Date.parse(event.currentTarget.value) || undefined)}
          />
        </label>
        <p class="soft" role="status">
          {wanted !== undefined && moved(app, status, wanted)}
        </p>
        <button disabled={wanted === undefined}>{say.say('start_set')}</button>
      </form>
    </details>
  );
}

/** What a start at this time would mean. */
function moved(app: App, { draw, tickets = 0, starts_at }: Status, wantedMs: number): string {
  const { say, clock } = app.state.say;
  const drawnMs = wantedMs - DRAW_BEFORE_MS;
  if (typeof draw?.count === 'number') return say('start_drawn', { when: clock(drawnMs) });
  if (drawnMs <= Date.now()) return say('start_now', { count: tickets });
  const isEarlier = starts_at !== null && wantedMs < Date.parse(starts_at);
  const then = say('start_draw', { when: clock(drawnMs), count: tickets });
  return isEarlier ? `${then} ${say('start_sooner')}` : then;
}

/** As a field for date and time has it. */
function local(atMs: number): string {
  return new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Who is signed in to the room, and the way to sign them out. */
function Seats({ app }: { app: App }) {
  const { say, seats } = app.state;
  return (
    <details class="panel" onToggle={(event) => event.currentTarget.open && void app.lookSeats()}>
      <summary>{say.say('seats')}</summary>
      <p class="soft">{say.say('seats_why')}</p>
      <ul class="list">
        {seats.map((seat) => (
          <li key={seat.id}>
            <span>
              <b>{seat.name || say.say('seat_unnamed')}</b>{' '}
              <span class="soft">
                {say.say(`role_${seat.role}`)}
                {seat.you && ' · ' + say.say('seat_this')} ·{' '}
                {say.say('seat_seen', { when: say.clock(seat.seen) })}
                {seat.agent && ' · ' + seat.agent}
              </span>
            </span>
            {!seat.you && (
              <button
                class="quiet"
                onClick={() =>
                  void app
                    .wish(app.calls.signOut(seat.id), say.say('did_sign_out'))
                    .then(() => app.lookSeats())
                }
              >
                {say.say('seat_out')}
                <span class="vh"> {seat.name}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The host's own ways in that cannot be stolen with a link. */
function Passkeys({ app }: { app: App }) {
  const { say } = app.state;
  const [mine, show] = useState<Passkey[]>([]);
  const look = () => passkeys(app.room).then(show);
  const act = async (done: Promise<void>, news: string) => {
    if (await app.wish(done, news)) await app.wish(look());
  };
  return (
    <details class="panel" onToggle={(event) => event.currentTarget.open && void app.wish(look())}>
      <summary>{say.say('passkeys')}</summary>
      <p class="soft">{say.say('passkey_why')}</p>
      <ul class="list">
        {mine.map(({ id, label, used_at }) => (
          <li key={id}>
            <span>
              <b>{label}</b> <span class="soft">{say.say('passkey_used', { when: say.day(used_at) })}</span>
            </span>
            <button class="quiet" onClick={() => void act(forget(id), say.say('did_forget'))}>
              {say.say('passkey_forget')}
              <span class="vh"> {label}</span>
            </button>
          </li>
        ))}
      </ul>
      <button class="quiet" onClick={() => void act(register(app.room), say.say('did_passkey'))}>
        {say.say('passkey')}
      </button>
    </details>
  );
}
