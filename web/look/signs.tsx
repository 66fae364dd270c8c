// The few signs of the pages, drawn on a 16-unit square. Each stands beside words.

const PATHS = {
  microphone: 'M8 1a2.5 2.5 0 0 0-2.5 2.5v4a2.5 2.5 0 0 0 5 0v-4A2.5 2.5 0 0 0 8 1zM3 7v.5a5 5 0 0 0 4.2 4.9V15h1.6v-2.6A5 5 0 0 0 13 7.500V7h-1.500v.5a3.500 3.500 0 0 1-7 0V7z',
  muted:
    'M2.100 1 1 2.100l4.500 4.500v.900a2.500 2.500 0 0 0 3.700 2.200l1.100 1.100A3.500 3.500 0 0 1 4.500 7.500V7H3v.5a5 5 0 0 0 4.200 4.900V15h1.600v-2.600a5 5 0 0 0 2.600-1l2.500 2.500 1.100-1.100zM10.500 7.300V3.500A2.500 2.500 0 0 0 5.600 2.700zM13 7h-1.500v.5l-.1.700 1.200 1.200q.4-.9.4-1.900z',
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
