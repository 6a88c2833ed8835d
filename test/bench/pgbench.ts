import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** What a writer can reach at all: one-row prepared inserts of the same size, each committed, per second. */
export async function insertFloor(adminUrl: string, clients: number, seconds: number): Promise<number> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query('DROP TABLE IF EXISTS bench_floor; CREATE TABLE bench_floor (id bigserial PRIMARY KEY, data text NOT NULL)');
  await admin.end();
  return hasPgbench() ? withPgbench(adminUrl, clients, seconds) : withDriver(adminUrl, clients, seconds);
}

export const floorName = (): string => (hasPgbench() ? 'pgbench' : 'prepared inserts by the driver (no pgbench here)');

const hasPgbench = (): boolean => spawnSync('pgbench', ['--version']).status === 0;
const INSERT = 'INSERT INTO bench_floor (data) VALUES';
const DATA = 'x'.repeat(400);

function withPgbench(adminUrl: string, clients: number, seconds: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-bench-'));
  const script = join(folder, 'insert.sql');
  writeFileSync(script, `${INSERT} ('${DATA}');\n`);
  const ran = spawnSync('pgbench', ['-n', '-M', 'prepared', '-f', script, '-c', String(clients), '-j', String(Math.min(clients, 2)), '-T', String(seconds), adminUrl], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  const tps = /^tps = ([0-9.]+)/m.exec(ran.stdout)?.[1];
  if (!tps) throw new Error(`pgbench failed: ${ran.stderr}`);
  return Number(tps);
}

async function withDriver(adminUrl: string, clients: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  const counts = await Promise.all(Array.from({ length: clients }, async () => {
    const client = new pg.Client({ connectionString: adminUrl });
    await client.connect();
    let count = 0;
    for (; performance.now() < end; count++) await client.query({ name: 'insert', text: `${INSERT} ($1)`, values: [DATA] });
    await client.end();
    return count;
  }));
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}
