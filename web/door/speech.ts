// Who is speaking, at the place that is being played: the stage is a second or more ahead of the ear.

import type { Door } from './door';
import type { Values } from './fill';
import type { Player } from './player';

/** One who spoke, from one part of the program to another; still speaking while there is no end. */
interface Turn {
  name: string;
  from_part: number;
  to_part: number | null;
}

interface Speaking {
  live_part: number;
  people: { name: string; role: string }[];
  turns: Turn[];
}

const PART_S = 0.32;
/** Only a page that is seen and heard asks, and all of them together at most a thousand times a second. */
const POLL_MS = 3_000;
const POLL_MS_PER_LISTENER = 1;

export class Speech {
  private said: Speaking | undefined;

  constructor(
    private readonly door: Door,
    private readonly player: Player,
  ) {
    void this.poll();
  }

  values(): Values {
    const { said } = this;
    const names = said?.people.map((one) => one.name) ?? [];
    const speaking = this.player.isOn ? this.now() : [];
    const write = (all: string[]) => new Intl.ListFormat(this.door.place().locale).format(all);
    return {
      speech: speaking.length > 0,
      several: speaking.length > 1,
      l_speaks: write(speaking),
      peopled: names.length > 0,
      l_names: write(names),
    };
  }

  /** Whose voice the ear is at; where its place is not known, whose it is now. */
  private now(): string[] {
    const { said } = this;
    if (!said) return [];
    const { placeS } = this.player;
    const part = placeS === undefined ? said.live_part : Math.floor(placeS / PART_S);
    const turns = said.turns.filter((turn) => turn.from_part <= part && (turn.to_part ?? Infinity) >= part);
    return [...new Set(turns.map((turn) => turn.name))];
  }

  private async poll(): Promise<void> {
    const { state, listening } = this.door.status();
    if (!document.hidden && (state === 'live' || state === 'boarding')) {
      this.said = await fetch(this.door.path + '/speaking')
        .then((answer) => (answer.ok ? answer.json() : undefined))
        .catch(() => this.said);
      this.door.show();
    }
    const wait = Math.max(POLL_MS, POLL_MS_PER_LISTENER * (listening ?? 0));
    setTimeout(() => void this.poll(), wait * (0.8 + Math.random() * 0.4));
  }
}
