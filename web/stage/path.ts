// The path to the server, tried before joining: a connection of its own that sends silence, and is taken down
// again.

import { Line, type Path } from '../wire/whip';

/** How long the connection may take to stand. */
const CONNECT_MS = 8_000;
/** How long it is looked at: two reports of the server's come in that time. */
const LOOK_MS = 2_600;
const STEP_MS = 100;

/** What was found: how the packets travel, or that they do not. */
export type PathFound = Path | 'closed' | 'refused';

export async function tryPath(url: string): Promise<PathFound> {
  const context = new AudioContext();
  const silence = context.createMediaStreamDestination();
  const unheard = new Audio();
  unheard.muted = true;
  const line = new Line({ url, audio: unheard, told: () => {} });
  line.open(silence.stream.getAudioTracks()[0]!);
  try {
    const began = Date.now();
    while (line.phase !== 'on') {
      if (line.phase === 'refused') return 'refused';
      if (Date.now() - began > CONNECT_MS) return 'closed';
      await pause(STEP_MS);
    }
    await pause(LOOK_MS);
    return (await line.path()) ?? 'closed';
  } finally {
    line.close();
    void context.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
