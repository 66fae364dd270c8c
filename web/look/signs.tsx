// The few signs of the pages, drawn on a 16-unit square. Each stands beside words.

const PATHS = {
  microphone:
    'M8 1a2.5 2.5 0 0 0-2.5 2.5v4a2.5 2.5 0 0 0 5 0v-4A2.5 2.5 0 0 0 8 1zM3 7v.5a5 5 0 0 0 4.2 4.9V15h1.6v-2.6A5 5 0 0 0 13 7.5V7h-1.5v.5a3.5 3.5 0 0 1-7 0V7z',
  muted:
    'M2.1 1 1 2.1l4.5 4.5v.9a2.5 2.5 0 0 0 3.7 2.2l1.1 1.1A3.5 3.5 0 0 1 4.5 7.5V7H3v.5a5 5 0 0 0 4.2 4.9V15h1.6v-2.6a5 5 0 0 0 2.6-1l2.5 2.5 1.1-1.1zM10.5 7.300V3.5A2.5 2.5 0 0 0 5.6 2.7zM13 7h-1.5v.5l-.1.7 1.2 1.2q.4-.9.4-1.9z',
  choose: 'M1 4h8V2.5h3V4h3v1.5h-3V7H9V5.5H1zm0 6.5h3V9h3v1.5h8V12H7v1.5H4V12H1z',
  play: 'M3 1v14l11-7z',
  stop: 'M3 3h10v10H3z',
};

export function Sign({ of }: { of: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[of]} />
    </svg>
  );
}
