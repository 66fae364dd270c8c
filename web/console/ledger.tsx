// The ledger: everything the node was asked for, by what explains it. All of it where there is room; on a
// phone one unit at a time, which the reader chooses.

import { useState } from 'preact/hooks';
import type { Say } from './console';
import { ACCOUNTS, UNITS, type Account, type Ledger, type Unit } from './watch';

interface Ledgers {
  last_second: Ledger;
  ever: Ledger;
}

const SPANS = ['last_second', 'ever'] as const;
const CELLS = UNITS.flatMap((unit) => SPANS.map((span) => ({ unit, span })));

export function LedgerTable({ ledger, say }: { ledger: Ledgers; say: Say }) {
  const [chosen, choose] = useState<Unit>('requests');
  const shown = { ledger, chosen, say };
  const of = (unit: Unit) => (unit === chosen ? '' : 'other');
  return (
    <section class="panel ledger">
      <h3 id="ledger">{say.say('ledger')}</h3>
      <p class="soft">{say.say('ledger_why')}</p>
      <label class="field">
        {say.say('ledger_unit')}
        <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value as Unit)}>
          {UNITS.map((unit) => (
            <option key={unit} value={unit}>
              {say.say(`unit_${unit}`)}
            </option>
          ))}
        </select>
      </label>
      <table aria-labelledby="ledger">
        <thead>
          <tr>
            <th scope="col" rowSpan={2}>
              {say.say('account')}
            </th>
            {UNITS.map((unit) => (
              <th key={unit} scope="colgroup" colSpan={2} class={of(unit)}>
                {say.say(`unit_${unit}`)}
              </th>
            ))}
          </tr>
          <tr>
            {CELLS.map(({ unit, span }) => (
              <th key={unit + span} scope="col" class={of(unit)}>
                {say.say(span)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {ACCOUNTS.map((account) => (
            <Row key={account} is={say.say(`account_${account}`)} of={(one) => one[account]} {...shown} />
          ))}
          <Row is={say.say('total')} of={sum} {...shown} />
        </tbody>
      </table>
    </section>
  );
}

interface RowOf {
  is: string;
  of(accounts: Record<Account, number>): number;
  ledger: Ledgers;
  chosen: Unit;
  say: Say;
}

function Row({ is, of, ledger, chosen, say }: RowOf) {
  return (
    <tr>
      <th scope="row">{is}</th>
      {CELLS.map(({ unit, span }) => {
        const count = of(ledger[span][unit]);
        const words = [unit !== chosen && 'other', !count && 'none'].filter(Boolean).join(' ');
        return (
          <td key={unit + span} class={words}>
            {say.number(count)}
          </td>
        );
      })}
    </tr>
  );
}

function sum(accounts: Record<Account, number>): number {
  return ACCOUNTS.reduce((all, account) => all + accounts[account], 0);
}
