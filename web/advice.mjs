// What an operator can do, as docs/operating.md has it: the console shows these sections themselves, so that the
// page never says anything else than the document, and needs no network to say it.

const SECTION = 'When the guard speaks';
const OWN = 'Our own fault';
const KINDS = ['calm', 'crowd', 'attack', 'both', 'unknown', 'own_fault'];

/** Paragraphs and points of each verdict's section. */
export function advice(markdown) {
  const whole = markdown.split(`\n## ${SECTION}\n`)[1]?.split('\n## ')[0] ?? '';
  const found = {};
  for (const part of whole.split('\n### ').slice(1)) {
    const title = part.slice(0, part.indexOf('\n'));
    const kind = title === OWN ? 'own_fault' : title.replace('Verdict: ', '');
    found[kind] = { title, blocks: blocks(part.slice(title.length)) };
  }
  const missing = KINDS.filter((kind) => !found[kind]?.blocks.length);
  if (missing.length) throw new Error(`docs/operating.md, "${SECTION}": nothing about ${missing}`);
  return found;
}

/** `- ` begins a point, an empty line ends what stands before it; of a link stays what it says. */
function blocks(text) {
  const marked = text.replace(/\n(?=- )/g, '\n\n').split(/\n\n+/);
  const said = marked.map((block) => block.trim().replace(/\s*\n\s*/g, ' ')).filter(Boolean);
  return said.map((block) => ({
    isPoint: block.startsWith('- '),
    text: block.replace(/^- /, '').replace(/\[([^\]]+)\]\([^)]+\)/g, '$1'),
  }));
}

/** Lets a script import `docs:operating`. */
export const operating = (read) => ({
  name: 'operating',
  setup(builder) {
    builder.onResolve({ filter: /^docs:operating$/ }, ({ path }) => ({ path, namespace: 'docs' }));
    builder.onLoad({ filter: /.*/, namespace: 'docs' }, async () => ({
      contents: JSON.stringify(advice(await read('../docs/operating.md'))),
      loader: 'json',
    }));
  },
});
