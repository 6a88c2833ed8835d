#!/usr/bin/env node
// Starts the built CLI with the Node that the project ships: the machine's own may be older than the code needs.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { handOver } from './hand-over.js';

const main = fileURLToPath(new URL('../../../dist/apps/cli/main.js', import.meta.url));
const shipped = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url));

if (!existsSync(main)) {
  console.error('hostplane is not built yet: run `npm run build` (or `npm start`) first.');
  process.exit(1);
}
if (Number(process.versions.node.split('.')[0]) >= 22 || !existsSync(shipped)) {
  await import(main);
} else {
  handOver(shipped, [main, ...process.argv.slice(2)]);
}
