// What the stage page knows, as its views read it.

import { pageLang, words, type Words } from '../look/words';
import type { Invitation, Role, Seat, StageView, Status } from '../wire/api';
import type { Path } from '../wire/whip';
import type { PathFound } from './path';
import table from './sentences.json';

export type Say = Words<typeof table>;

/** `opening` asking who we are · `door` nobody yet · `green` before joining · `stage` · `away` taken off, or
 * left · `ended` the room is over · `missing` there is no such room. */
export type Screen = 'opening' | 'door' | 'green' | 'stage' | 'away' | 'ended' | 'missing';

export interface State {
  screen: Screen;
  say: Say;
  me: { role: Role | 'operator'; person: string | null; name: string } | undefined;
  passkeys: boolean;
  view: StageView | undefined;
  status: Status | undefined;
  /** The events come in; while they do not, what is shown may be old. */
  isTold: boolean;
  muted: boolean;
  /** Space is held: heard as long as it is. */
  isHeld: boolean;
  path: Path | undefined;
  found: PathFound | undefined;
  isTrying: boolean;
  /** Why somebody is no longer on the stage. */
  why: 'left' | 'removed' | 'signed_out' | 'elsewhere' | '';
  /** Another window of this browser is on the stage. */
  isElsewhere: boolean;
  /** Who is to be removed, or just was. */
  removing: Removing | undefined;
  /** What went wrong last, in words. */
  refusal: string;
  /** What was just done, for the live region. */
  news: string;
  invitations: Invitation[];
  seats: Seat[];
  recording: { failing: { why: string } | null } | undefined;
}

/** Somebody a host removes: asked first, then told what still opens the stage to them. */
export interface Removing {
  id: string;
  name: string;
  opens?: { by: 'invitation'; id: string } | { by: 'key'; role: Role };
  /** The new link of the key that was replaced. */
  link?: string;
}

/** Before anything is known. */
export function opening(): State {
  return {
    screen: 'opening',
    say: words(table, pageLang()),
    me: undefined,
    passkeys: false,
    view: undefined,
    status: undefined,
    isTold: false,
    muted: false,
    isHeld: false,
    path: undefined,
    found: undefined,
    isTrying: false,
    why: '',
    isElsewhere: false,
    removing: undefined,
    refusal: '',
    news: '',
    invitations: [],
    seats: [],
    recording: undefined,
  };
}
