// One number, and what it counts.

export function Figure({ of, is, low }: { of: string; is: string; low?: true }) {
  return (
    <div>
      <dt>{is}</dt>
      <dd class={low ? 'figure low' : 'figure'}>{of}</dd>
    </div>
  );
}
