import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { EventStore } from '#eventstore/event-store.js';
import { startPostgres } from '../support/postgres.js';
import { PEERS } from './peers.js';
import { floorName, insertFloor } from './pgbench.js';
import { median, milliseconds, quantile, rateRow, say, type Bench } from './table.js';
import { write, writeWith } from './writers.js';

const RUNS = 5;
const SECONDS = 2;

/** T1 and T2: appends of 400-byte events, hash chain and flush included, beside bare inserts. */
export const run: Bench = async (report, wants) => {
  say(`  the floor is ${floorName()}; ${RUNS} runs of ${SECONDS} s each, medians`);
  if (wants('T1')) await appendOfOneProcess(report, wants);
  if (wants('T2')) await appendOfSixProcesses(report, wants);
  if (wants('peers')) await besidePeers(report, wants);
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

/** T1's other yardstick, in turns with it: what other event stores do with the same server. */
const besidePeers: Bench = async (report) => {
  const database = await startPostgres();
  const store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
  for (const start of PEERS) {
    try {
      const peer = await start(database.adminUrl);
      const ours: number[] = [], theirs: number[] = [];
      await writeWith(peer.append, 32, 0.5);
      for (let i = 0; i < PEER_RUNS; i++) {
        ours.push((await write(store, 32, 1)).perS);
        theirs.push((await writeWith(peer.append, 32, 1)).perS);
      }
      await peer.close();
      const row = rateRow(`T1 beside ${peer.name}, 32 writers`, median(ours), median(theirs), 5);
      report(peer.name === 'emmett-postgresql' ? row : { ...row, target: '—', met: undefined });
    } catch (error) {
      report({ what: `T1 beside ${start.name}`, ours: `skipped: ${error instanceof Error ? error.message : String(error)}`, target: '' });
    }
  }
  await store.close();
  await database.stop();
};

const PEER_RUNS = 5;
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
