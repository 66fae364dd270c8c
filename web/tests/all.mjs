// All tests, in two rows at a time. Those of the second row mostly wait: for a seat to be freed, for a page to ask
// again. What is to be quick is measured in the first, one file after another.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const WAITS = ['console.test.mjs', 'floor.test.mjs', 'line.test.mjs'];
const folder = fileURLToPath(new URL('.', import.meta.url));
const all = readdirSync(folder).filter((name) => name.endsWith('.test.mjs'));

/** Runs these files; says whether all went well, and what was written when nobody saw it. */
function run(names, stdio) {
  const files = names.map((name) => folder + name);
  const child = spawn(process.execPath, ['--test', '--test-concurrency=1', ...files], { stdio });
  const written = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => written.push(bytes));
  return new Promise((resolve) =>
    child.on('close', (code) => resolve({ isGood: code === 0, written: Buffer.concat(written) })),
  );
}

const [shown, kept] = await Promise.all([
  run(all.filter((name) => !WAITS.includes(name)), 'inherit'),
  run(WAITS, ['ignore', 'pipe', 'pipe']),
]);
process.stdout.write(kept.written);
process.exitCode = shown.isGood && kept.isGood ? 0 : 1;
