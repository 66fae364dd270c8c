// A level that moves by itself, without drawing the page anew.

import { useEffect, useRef } from 'preact/hooks';
import type { App } from './app';

const EVERY_MS = 60;
/** A meter falls slower than it rises, so that an eye can follow. */
const FALL = 0.86;

/** Writes the microphone's level into `--level` (0 to 1) of an element. */
export function useLevel<E extends HTMLElement>(app: App, isOn: boolean) {
  const spot = useRef<E>(null);
  useEffect(() => {
    if (!isOn) return;
    let shown = 0;
    const timer = setInterval(() => {
      shown = Math.max(app.mic.track?.enabled ? app.mic.level() : 0, shown * FALL);
      spot.current?.style.setProperty('--level', shown.toFixed(3));
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [isOn]);
  return spot;
}

export function Meter({ app }: { app: App }) {
  const spot = useLevel<HTMLDivElement>(app, true);
  return (
    <div class="meter" ref={spot} aria-hidden="true">
      <i />
    </div>
  );
}
