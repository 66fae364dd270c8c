// A running node under the fake one's interface, so that the same tests hold for it: rooms are made and
// steered with the `tribune` command, sound is sent by ffmpeg as any Icecast source would.
//
// TRIBUNE_URL (the public listener), TRIBUNE_STAGE, TRIBUNE_OPERATOR_KEY, and TRIBUNE_BIN if `tribune` is not
// in the path.

import { execFileSync, spawn } from 'node:child_process';

const TONE = "aevalsrc='0.3*sin(2*PI*t*(330+110*mod(floor(t),2)))*(0.6+0.4*sin(2*PI*3*t))':s=48000";

function tribune(...command) {
  return execFileSync(process.env.TRIBUNE_BIN ?? 'tribune', ['room', ...command], { encoding: 'utf8' });
}

class Room {
  constructor(made) {
    this.name = made.room;
    const source = new URL(made.links.source);
    source.username = 'source';
    source.password = made.keys.speaker;
    this.source = source.href;
  }

  sound() {
    this.sender ??= spawn(
      'ffmpeg',
      [
        '-v',
        'error',
        '-re',
        '-f',
        'lavfi',
        '-i',
        TONE,
        '-c:a',
        'libopus',
        '-b:a',
        '96k',
        '-page_duration',
        '100000',
        '-f',
        'ogg',
        '-content_type',
        'application/ogg',
        this.source.replace('http:', 'icecast:').replace('https:', 'icecast:'),
      ],
      { stdio: 'inherit' },
    );
  }

  live() {
    this.sound();
    tribune('live', this.name);
  }

  end() {
    tribune('end', this.name);
    this.sender?.kill();
  }

  cap(seats) {
    tribune('cap', this.name, String(seats));
  }
}

export class RealNode {
  async start() {
    this.origin = process.env.TRIBUNE_URL.replace(/\/$/, '');
    this.rooms = [];
    return this;
  }

  async room(given = {}) {
    const starts = given.starts_at ? ['--starts', given.starts_at] : [];
    const room = new Room(
      JSON.parse(tribune('new', '--title', given.title ?? 'An evening conversation', ...starts)),
    );
    this.rooms.push(room);
    return room;
  }

  async stop() {
    for (const room of this.rooms) room.sender?.kill();
  }
}
