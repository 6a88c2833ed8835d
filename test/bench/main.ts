import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { printTable, say, type Bench, type BenchRow } from './table.js';

/** `npm run bench [-- append replay T2 peers …]`: the benches whose file names begin with one of these, or all, and of them the parts T2 and peers, or all; then one table. */
const isPart = (name: string): boolean => /^(T[0-9]+|peers|latency)$/.test(name);
const wanted = process.argv.slice(2).filter((name) => !isPart(name));
const parts = process.argv.slice(2).filter(isPart);
const wants = (part: string): boolean => parts.length === 0 || parts.includes(part);
const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.bench.ts') && (wanted.length === 0 || wanted.some((name) => file.startsWith(name))));
const rows: BenchRow[] = [];
for (const file of files.sort()) {
  say(`\n${file.replace('.bench.ts', '')}`);
  const { run } = (await import(join(import.meta.dirname, file))) as { run: Bench };
  await run((row) => {
    rows.push(row);
    say(`  ${row.what}: ${row.ours}${row.floor ? ` beside ${row.floor}` : ''}${row.ratio ? `, ${row.ratio}` : ''} (${row.target})`);
  }, wants).catch((error: unknown) => {
    rows.push({ what: file, ours: `failed: ${error instanceof Error ? error.message : String(error)}`, target: '', met: false });
    say(String(error instanceof Error ? error.stack : error));
  });
}
say('');
printTable(rows);
