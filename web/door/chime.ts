// The sound that says "it is your turn", and leave to make it: browsers let a page sound later only if it did
// so once when it was pressed.

import type { Door } from './door';

let context: AudioContext | undefined;

/** Two soft notes, a fourth apart. */
const NOTES_HZ = [523, 698];
const NOTE_S = 0.35;
const LOUD = 0.12;
/** A moment of silence as a WAV file (RIFF): 8 kHz, 8 bit, mono. */
const SILENCE_SAMPLES = 160;

/** To be called while the visitor presses. */
export function unlock(audio: HTMLAudioElement): void {
  context ??= 'AudioContext' in window ? new AudioContext() : undefined;
  if (audio.src) return;
  audio.src = URL.createObjectURL(silence());
  const { src } = audio;
  const done = () => {
    URL.revokeObjectURL(src);
    if (audio.src === src) audio.removeAttribute('src');
  };
  audio.play().then(done, done);
}

/** Has the device say it where the page is not seen and leave was given; phones want a worker for it. */
export async function tell({ path }: Door): Promise<void> {
  if (!document.hidden || !('Notification' in window) || Notification.permission !== 'granted') return;
  // The title says it in the visitor's language.
  const { title, documentElement } = document;
  const about = { tag: path, lang: documentElement.lang };
  try {
    const worker = await navigator.serviceWorker?.getRegistration(path);
    if (worker?.active) await worker.showNotification(title, about);
    else new Notification(title, about);
  } catch {
    // The chime was heard all the same.
  }
}

/** Says that it is one's turn; without a sound where the page was never pressed. */
export function ring(): void {
  if (!context) return;
  const { destination } = context;
  const from = context.currentTime + 0.05;
  void context.resume();
  NOTES_HZ.forEach((hz, i) => {
    const tone = new OscillatorNode(context!, { frequency: hz });
    const gain = new GainNode(context!, { gain: 0 });
    const at = from + i * NOTE_S;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(LOUD, at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S * 2);
    tone.connect(gain).connect(destination);
    tone.start(at);
    tone.stop(at + NOTE_S * 2);
  });
}

function silence(): Blob {
  const head = new DataView(new ArrayBuffer(44));
  const word = (at: number, text: string) =>
    [...text].forEach((mark, i) => head.setUint8(at + i, mark.charCodeAt(0)));
  word(0, 'RIFF');
  head.setUint32(4, 36 + SILENCE_SAMPLES, true);
  word(8, 'WAVEfmt ');
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, 8000, true);
  head.setUint32(28, 8000, true);
  head.setUint16(32, 1, true);
  head.setUint16(34, 8, true);
  word(36, 'data');
  head.setUint32(40, SILENCE_SAMPLES, true);
  return new Blob([head, new Uint8Array(SILENCE_SAMPLES).fill(128)], { type: 'audio/wav' });
}
