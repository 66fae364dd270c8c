// The guard: its verdict and what it rests on, what it did by itself, and what an operator can do.

import sections from 'docs:operating';
import { useState } from 'preact/hooks';
import type { Share } from '../wire/api';
import type { Console, Say } from './console';
import { Figure } from './figure';
import { LedgerTable } from './ledger';
import type { Said, Shut } from './watch';

const SHUT_SHOWN = 12;
const SHARES = ['requests', 'newcomers', 'connection_seconds'] as const;

/** The verdict in a sentence, where it is read first. */
export function Says({ app }: { app: Console }) {
  const { say } = app.state;
  const verdict = app.watch.said?.verdict;
  if (!verdict) return null;
  const { kind, self_inflicted, confidence, since, because } = verdict;
  const sure = new Intl.NumberFormat(say.locale, { style: 'percent' }).format(confidence);
  return (
    <div class={`says is-${kind}`}>
      <p role="status">
        <b>{say.say(`verdict_${kind}`)}</b> {self_inflicted && say.say('verdict_ours')}
      </p>
      <p class="soft">
        {since && say.say('verdict_sure', { sure, since: say.second(since) })}{' '}
        <span lang="en">{because[0]}</span>
      </p>
      <a href="#guard">{say.say('verdict_more')}</a>
    </div>
  );
}

export function Guard({ app }: { app: Console }) {
  const { say } = app.state;
  const { said, isOld } = app.watch;
  if (!said) return null;
  const { people, usual, newcomers, sources } = said;
  const { became_listeners: became, known } = newcomers;
  return (
    <section class="guard" id="guard" aria-labelledby="guard-is">
      <div class="head">
        <h2 id="guard-is">{say.say('guard')}</h2>
        <span class="soft">{say.say('guard_of')}</span>
      </div>
      {isOld && <p class="note">{say.say('guard_old')}</p>}
      <dl class="pair">
        <Figure of={say.number(people)} is={say.say('people_here')} />
        <Figure
          of={usual === null ? say.say('not_known') : say.number(usual)}
          is={say.say('people_usual')}
          low
        />
        <Figure
          of={known ? say.say('became_of', { became, known }) : say.say('not_known')}
          is={say.say('became')}
          low
        />
        <Figure of={say.number(sources)} is={say.say('sources')} low />
      </dl>
      <div class="cards">
        <Because said={said} say={say} />
        <Shares said={said} say={say} />
        <Done app={app} acts={said.acts} />
        <Advice said={said} say={say} />
      </div>
      <LedgerTable ledger={said.ledger} say={say} />
    </section>
  );
}

function Because({ said, say }: { said: Said; say: Say }) {
  return (
    <section class="panel">
      <h3>{say.say('because')}</h3>
      <ol class="reasons" lang="en">
        {said.verdict.because.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ol>
    </section>
  );
}

function Shares({ said, say }: { said: Said; say: Say }) {
  return (
    <section class="panel">
      <h3>{say.say('shares')}</h3>
      <p class="soft">{say.say('shares_why')}</p>
      <dl class="shares">
        {SHARES.map((of) => (
          <Range key={of} is={say.say(`share_${of}`)} share={said.verdict.attack_share[of]} say={say} />
        ))}
      </dl>
    </section>
  );
}

function Range({ is, share, say }: { is: string; share: Share; say: Say }) {
  // What is said is never narrower than what is known.
  const low = Math.floor(percent(share[0]));
  const high = Math.ceil(percent(share[1]));
  const isKnown = low > 0 || high < 100;
  return (
    <div>
      <dt>{is}</dt>
      <dd>
        <b>{isKnown ? say.say('share_range', { low, high }) : say.say('share_none')}</b>
        <div class={isKnown ? 'bar range' : 'bar range open'} aria-hidden="true">
          <i style={{ marginLeft: `${low}%`, width: `${Math.max(1, high - low)}%` }} />
        </div>
      </dd>
    </div>
  );
}

/** 7, and not 7.000000000000001. */
function percent(share: number): number {
  return Number((100 * share).toFixed(6));
}

function Done({ app, acts }: { app: Console; acts: Shut[] }) {
  const { say } = app.state;
  const [refusal, refuse] = useState('');
  const [isWhole, showWhole] = useState(false);
  const newest = [...acts].reverse();
  const letBe = new Set(acts.filter((act) => app.watch.isUndone(act)).map(({ source }) => source));
  const undo = async (act: Shut, row: HTMLElement | null) => {
    try {
      await app.watch.undo(act);
      refuse('');
      app.change({ news: say.say('did_undo', { source: act.source }) });
      // The button is gone with what it undid: who works by keyboard stays where they were.
      row?.focus();
    } catch (error) {
      const isGone = (error as { status?: number }).status === 404;
      refuse(isGone ? say.say('undo_gone') : app.sentence(error));
    }
  };
  return (
    <section class="panel">
      <h3>{say.say('shut')}</h3>
      {refusal && (
        <p class="note bad" role="alert">
          {refusal}
        </p>
      )}
      {!acts.length && <p class="soft">{say.say('shut_none')}</p>}
      <ul class="list shut">
        {newest.slice(0, isWhole ? newest.length : SHUT_SHOWN).map((act) => (
          <li key={`${act.number} ${act.at}`} tabIndex={-1}>
            <Deed act={act} say={say} isUndone={app.watch.isUndone(act)} />
            {!letBe.has(act.source) && (
              <button
                class="quiet"
                aria-label={say.say('undo_of', { source: act.source })}
                onClick={({ currentTarget }) => void undo(act, currentTarget.closest('li'))}
              >
                {say.say('undo')}
              </button>
            )}
          </li>
        ))}
      </ul>
      {!isWhole && acts.length > SHUT_SHOWN && (
        <button class="link" onClick={() => showWhole(true)}>
          {say.say('shut_more', { count: acts.length })}
        </button>
      )}
    </section>
  );
}

function Deed({ act, say, isUndone }: { act: Shut; say: Say; isUndone: boolean }) {
  const { at, source, until, violations } = act;
  const isOver = Date.parse(until) < Date.now();
  const when = say.say(isOver ? 'shut_over' : 'shut_until', { until: say.second(until) });
  return (
    <span>
      <time class="soft">{say.second(at)}</time> <b>{source}</b>{' '}
      {isUndone ? <span class="good">{say.say('shut_undone')}</span> : when}
      <br />
      <span class="soft">{say.say('shut_why', { count: violations })}</span>
    </span>
  );
}

/** What docs/operating.md says of such a verdict. */
function Advice({ said, say }: { said: Said; say: Say }) {
  const { kind, self_inflicted } = said.verdict;
  const kinds = self_inflicted ? [kind, 'own_fault'] : [kind];
  return (
    <section class="panel advice">
      <h3>{say.say('advice')}</h3>
      {kinds.map((one) => {
        const { title, blocks } = sections[one]!;
        const points = blocks.filter(({ isPoint }) => isPoint);
        return (
          <div key={one}>
            {blocks
              .filter(({ isPoint }) => !isPoint)
              .map(({ text }) => (
                <p key={text} lang="en">
                  <Marked text={text} />
                </p>
              ))}
            <ul lang="en">
              {points.map(({ text }) => (
                <li key={text}>
                  <Marked text={text} />
                </li>
              ))}
            </ul>
            <p class="soft">{say.say('advice_from', { title })}</p>
          </div>
        );
      })}
    </section>
  );
}

/** A document's sentence: what stands between backticks is code. */
function Marked({ text }: { text: string }) {
  return <>{text.split('`').map((piece, i) => (i % 2 ? <code key={i}>{piece}</code> : piece))}</>;
}
