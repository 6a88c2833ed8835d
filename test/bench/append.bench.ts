import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { EventStore } from '#eventstore/event-store.js';
import { startPostgres } from '../support/postgres.js';
import { floorName, insertFloor } from './pgbench.js';
import { median, milliseconds, quantile, rateRow, say, type Bench } from './table.js';
import { write } from './writers.js';

const RUNS = 5;
const SECONDS = 2;

/** T1 and T2: appends of 400-byte events, hash chain and flush included, beside bare inserts. */
export const run: Bench = async (report) => {
  say(`  the floor is ${floorName()}; ${RUNS} runs of ${SECONDS} s each, medians`);
  await appendOfOneProcess(report);
  await appendOfSixProcesses(report);
  for (const peer of ['emmett-postgresql', 'message-db']) report({ what: `T1 beside ${peer}`, ours: 'skipped: not installed here', target: peer === 'message-db' ? '—' : '≥ 5 × at 32' });
};

const appendOfOneProcess: Bench = async (report) => {
  const database = await startPostgres();
  const store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
  await write(store, 32, 1);
  for (const [writers, target] of [[1, 0.65], [8, 0.8], [32, 1.2]] as const) {
    const ours: number[] = [], p99s: number[] = [], floors: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      floors.push(await insertFloor(database.adminUrl, writers, SECONDS));
      const { perS, latenciesMs } = await write(store, writers, SECONDS);
      ours.push(perS);
      p99s.push(quantile(latenciesMs, 0.99));
    }
    const p99 = median(p99s);
    const isMost = writers === 32;
    report(rateRow(`T1 append, ${writers} writer${writers > 1 ? 's' : ''}`, median(ours), median(floors), target, {
      note: `p99 ${milliseconds(p99)}`, ...(isMost && { alsoTarget: 'p99 ≤ 5 ms', alsoMet: p99 <= 5 }),
    }));
  }
  await store.close();
  await database.stop();
};

const PROCESSES = 6;
const WRITERS_EACH = 5;

/** On a disk that takes a millisecond longer to flush. */
const appendOfSixProcesses: Bench = async (report) => {
  const database = await startPostgres({ settings: { commit_delay: '1000', commit_siblings: '0' } });
  const ours: number[] = [], p99s: number[] = [], floors: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    floors.push(await insertFloor(database.adminUrl, PROCESSES * WRITERS_EACH, SECONDS));
    const children = await Promise.all(Array.from({ length: PROCESSES }, () => startChild(database.urlOf('api-gateway'))));
    const figures = await Promise.all(children.map(askChild));
    ours.push(figures.reduce((sum, { perS }) => sum + perS, 0));
    p99s.push(quantile(figures.flatMap(({ latenciesMs }) => latenciesMs), 0.99));
  }
  const p99 = median(p99s);
  report(rateRow(`T2 append, ${PROCESSES} processes of ${WRITERS_EACH} writers, 1 ms disk`, median(ours), median(floors), 0.65, { note: `p99 ${milliseconds(p99)}`, alsoTarget: 'p99 ≤ 12 ms', alsoMet: p99 <= 12 }));
  await database.stop();
};

async function startChild(url: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'writer-child.ts'), [url, String(WRITERS_EACH), String(SECONDS)]);
  await once(child, 'message');
  return child;
}

async function askChild(child: ChildProcess): Promise<{ perS: number; latenciesMs: number[] }> {
  child.send('go');
  const [figures] = (await once(child, 'message')) as [{ perS: number; latenciesMs: number[] }];
  return figures;
}
