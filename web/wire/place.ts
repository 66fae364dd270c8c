// Which window of this browser is on the stage: a lock that the browser frees with the window that has it,
// however that window goes (Web Locks). Another browser of the same person is known to the node only.

/** A page that is loaded again may see its own lock of before for a moment. */
const LINGERS_MS = 250;

export class Place {
  private free: (() => void) | undefined;

  constructor(private readonly name: string) {}

  /** Whether another window has it; no, where that cannot be asked. */
  async isTaken(): Promise<boolean> {
    if (!(await this.isHeld())) return false;
    await new Promise((done) => setTimeout(done, LINGERS_MS));
    return this.isHeld();
  }

  private async isHeld(): Promise<boolean> {
    if (this.free || !navigator.locks) return false;
    const { held } = await navigator.locks.query().catch(() => ({ held: [] }) as LockManagerSnapshot);
    return !!held?.some(({ name }) => name === this.name);
  }

  /** Has it from now on, whoever had it. */
  take(): void {
    if (this.free || !navigator.locks) return;
    const until = new Promise<void>((free) => (this.free = free));
    const mine = this.free;
    navigator.locks
      .request(this.name, { steal: true }, () => until)
      .catch(() => {
        if (this.free === mine) this.free = undefined; // Another window has taken it.
      });
  }

  leave(): void {
    this.free?.();
    this.free = undefined;
  }
}
