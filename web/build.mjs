// Builds the pages into dist/: one HTML template per language with style and script inside, the assets that
// load later with their compressed forms, and what the server must know about them (hashes for the content
// security policy, names, words).

import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { operating } from './advice.mjs';
import { card } from './card.mjs';

const LANGUAGES = ['en', 'fr'];
const here = new URL('.', import.meta.url);
const read = (name) => readFile(new URL(name, here), 'utf8');
const write = (name, bytes) => writeFile(new URL('dist/' + name, here), bytes);

const sentences = JSON.parse(await read('door/sentences.json'));

/** Puts the sentences of one language into `[[name]]`, and gives `{{~name}}` a place that the script renews. */
function speak(template, lang, table = sentences) {
  return template
    .replace(/\[\[(\w+)\]\]/g, (_, name) => {
      const sentence = table[name]?.[lang];
      if (sentence === undefined) throw new Error(`no sentence "${name}" in "${lang}"`);
      return sentence;
    })
    .replace(/{{~(\w+)}}/g, '<span data-v="$1">{{$1}}</span>');
}

/** Line ends stand between tags only, where they mean nothing. */
function tighten(html) {
  return html.replace(/\s*\n\s*/g, '');
}

/** A template with those it includes by `[[@name]]`. */
async function whole(name) {
  const template = await read(name);
  const parts = {};
  for (const [, part] of template.matchAll(/\[\[@(\w+)\]\]/g)) parts[part] = await read(`door/${part}.html`);
  return template.replace(/\[\[@(\w+)\]\]/g, (_, part) => parts[part]);
}

/** Lets a script import `template:NAME` in the language it is built for. */
const templates = (lang) => ({
  name: 'templates',
  setup(builder) {
    builder.onResolve({ filter: /^template:/ }, ({ path }) => ({
      path: path.slice(9),
      namespace: 'template',
    }));
    builder.onLoad({ filter: /.*/, namespace: 'template' }, async ({ path }) => ({
      contents: path.endsWith('.css')
        ? await style('door/' + path)
        : speak(tighten(await whole('door/' + path)), lang),
      loader: 'text',
    }));
  },
});

async function script(entry, format, lang, define = {}) {
  const result = await build({
    plugins: [templates(lang), operating(read)],
    entryPoints: [new URL(entry, here).pathname],
    bundle: true,
    minify: true,
    write: false,
    format,
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define,
    external: ['/assets/*'],
  });
  return result.outputFiles[0].text.trimEnd();
}

async function style(entry) {
  const result = await build({
    entryPoints: [new URL(entry, here).pathname],
    bundle: true,
    minify: true,
    write: false,
    target: 'es2022',
  });
  return result.outputFiles[0].text.trimEnd();
}

const sha256 = (text) => createHash('sha256').update(text).digest('base64');
const short = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 },
  });

await rm(new URL('dist/', here), { recursive: true, force: true });
await mkdir(new URL('dist/door/', here), { recursive: true });

const door = await script('door/door.ts', 'iife');
const css = await style('door/page.css');
const picture = card();
await write('door/door.js', door);
await write('door/page.css', css);
await write('door/card.png', picture);

const main = tighten(await read('door/main.html'));
/** What the script draws: without what is there only for those who have none. */
const scripted = main.replace(/{{\^js}}[^]*?{{\/js}}/g, '').replace(/{{[#/]js}}/g, '');
// Once a conversation is over, what stood before the end can never come again: the page need not carry it.
const over = scripted.replace(/{{#scheduled}}{{#late}}<p[^]*{{\/ahead}}/, '');
if (over.length > scripted.length / 2)
  throw new Error('door/main.html: the sections before the end were not found');
const finale = tighten(await read('door/finale.html'));
const page = tighten(await read('door/page.html')).replace('[[@main]]', () =>
  main.replace('{{&finale}}', () => finale).replace('{{&deck}}', '').replace('{{&stand}}', ''),
);
const inside = {};
const floor = Buffer.from(await script('door/floor.ts', 'esm'));
const floorName = `floor.${short(floor)}.js`;
await write('door/floor.js', floor);
await write('door/floor.js.br', brotli(floor));
await write('door/floor.js.gz', gzipSync(floor, { level: 9 }));
const worker = Buffer.from(await script('door/worker.ts', 'esm'));
await write('door/worker.js', worker);
const line = tighten(await read('door/line.html'));
for (const lang of LANGUAGES) {
  await write(`door/line.${lang}.html`, speak(line, lang));
  await write(`door/main.${lang}.html`, speak(scripted, lang));
  await write(`door/over.${lang}.html`, speak(over, lang));
  await write(`door/page.${lang}.html`, speak(page, lang));
  const bytes = Buffer.from(await script('door/inside.ts', 'esm', lang, { FLOOR: `"/assets/${floorName}"` }));
  inside[lang] = `inside.${lang}.${short(bytes)}.js`;
  await write(`door/inside.${lang}.js`, bytes);
  await write(`door/inside.${lang}.js.br`, brotli(bytes));
  await write(`door/inside.${lang}.js.gz`, gzipSync(bytes, { level: 9 }));
}

const words = ['days', 'months', 'at', 'day_unit', 'thousands', 'missing_title'];
await write(
  'door/built.json',
  JSON.stringify(
    {
      script_sha256: sha256(door),
      style_sha256: sha256(css),
      inside,
      floor: floorName,
      card: `card.${short(picture)}.png`,
      words: Object.fromEntries(
        LANGUAGES.map((lang) => [
          lang,
          Object.fromEntries(words.map((word) => [word, sentences[word][lang]])),
        ]),
      ),
    },
    null,
    1,
  ),
);

/** A file that follows a page, with its compressed forms. */
async function packed(name, text) {
  const bytes = Buffer.from(text);
  await write(name, bytes);
  await write(name + '.br', brotli(bytes));
  await write(name + '.gz', gzipSync(bytes, { level: 9 }));
  return short(bytes);
}

// The pages of the stage listener: a shell in each language, one script and one style that hold both.
await mkdir(new URL('dist/desk/', here), { recursive: true });
const desks = {};
for (const name of ['stage', 'console']) {
  const table = JSON.parse(await read(`${name}/sentences.json`));
  for (const [key, said] of Object.entries(table)) {
    for (const lang of LANGUAGES) if (!said[lang]) throw new Error(`${name}: no "${key}" in "${lang}"`);
  }
  const js = `${name}.${await packed(`desk/${name}.js`, await script(`${name}/main.tsx`, 'esm'))}.js`;
  const css = `${name}.${await packed(`desk/${name}.css`, await style(`${name}/${name}.css`))}.css`;
  desks[name] = { script: js, style: css };
  const shell = tighten(await read('look/page.html'));
  for (const lang of LANGUAGES) {
    const own = { lang: { [lang]: lang }, script: { [lang]: js }, style: { [lang]: css } };
    await write(`desk/${name}.${lang}.html`, speak(shell, lang, { ...sentences, ...table, ...own }));
  }
}
await write('desk/built.json', JSON.stringify(desks, null, 1));

// The tests' node renders with the same rules as the browser.
await build({
  stdin: {
    contents: 'export { fill } from "./door/fill"; export { facts } from "./door/facts";',
    resolveDir: here.pathname,
  },
  bundle: true,
  format: 'esm',
  outfile: new URL('dist/rules.mjs', here).pathname,
});
