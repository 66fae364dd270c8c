// What the guard of this node says, asked for once a second while somebody looks.

import { call, Refused, type Verdict } from '../wire/api';
import { backoffMs } from '../wire/pace';

export const UNITS = ['requests', 'connections', 'handshakes', 'connection_seconds'] as const;
export const ACCOUNTS = [
  'listener',
  'newcomer',
  'our_doing',
  'unexplained',
  'violation',
  'shed',
  'unseen',
] as const;
export type Unit = (typeof UNITS)[number];
export type Account = (typeof ACCOUNTS)[number];
export type Ledger = Record<Unit, Record<Account, number>>;

/** Something the guard did by itself: it refuses a source for a while. */
export interface Shut {
  number: number;
  at: string;
  source: string;
  until: string;
  violations: number;
  undone: boolean;
}

export interface Said {
  verdict: Verdict;
  people: number;
  usual: number | null;
  newcomers: { became_listeners: number; known: number };
  sources: number;
  ledger: { last_second: Ledger; ever: Ledger };
  /** The oldest first. */
  acts: Shut[];
}

const EVERY_MS = 1_000;
const LONGEST_MS = 15_000;

export class Watch {
  said: Said | undefined;
  /** The figures are of before: the node did not answer. */
  isOld = false;
  private readonly letIn = new Set<string>();
  private timer = 0;
  private failures = 0;
  private isOn = false;

  constructor(private readonly told: () => void) {
    document.addEventListener('visibilitychange', () => this.next(0));
  }

  begin(): void {
    if (this.isOn) return;
    this.isOn = true;
    this.next(0);
  }

  stop(): void {
    this.isOn = false;
    this.said = undefined;
    clearTimeout(this.timer);
  }

  /** Takes an act back. */
  async undo(act: Shut): Promise<void> {
    await call(`/api/v1/guard/acts/${act.number}/undo`, { method: 'POST' });
    this.letIn.add(nameOf(act));
    this.told();
  }

  /** Whether somebody took it back; the node's list says so within a second. */
  isUndone(act: Shut): boolean {
    return act.undone || this.letIn.has(nameOf(act));
  }

  private next(ms: number): void {
    clearTimeout(this.timer);
    if (this.isOn && !document.hidden) this.timer = setTimeout(() => void this.look(), ms);
  }

  private async look(): Promise<void> {
    try {
      const said = await call<Said | { verdict: null }>('/api/v1/guard');
      if (!this.isOn) return;
      this.failures = 0;
      this.isOld = false;
      if (said.verdict) this.said = said;
      this.next(EVERY_MS);
    } catch (error) {
      if (!this.isOn) return;
      const refused = error instanceof Refused ? error : undefined;
      // Signed out, or an older node without a guard: neither changes by asking again.
      if (refused && [401, 403, 404].includes(refused.status)) return this.stop();
      this.isOld = true;
      const backMs = backoffMs(this.failures++, { firstMs: 2 * EVERY_MS, longestMs: LONGEST_MS });
      this.next(Math.max(EVERY_MS, backMs, 1_000 * (refused?.retryAfterS ?? 0)));
    }
    this.told();
  }
}

/** Numbers begin anew with the node. */
function nameOf({ number, at }: Shut): string {
  return `${number} ${at}`;
}
