import { randomBytes, randomUUID, hash } from 'node:crypto';
import pg from 'pg';
import { EventStore } from '#eventstore/event-store.js';
import { Projection, type ProjectionDefinition } from '#eventstore/projection.js';
import { foldRange } from '#eventstore/replay.js';
import { MemoryTx } from '#eventstore/memory-tx.js';
import { verify } from '#eventstore/verify.js';
import { gatewayProjection } from '../../apps/api-gateway/gateway.projection.js';
import { sitesTable } from '../../apps/api-gateway/sites.projection.js';
import { foldBatch, type KeyedTable } from '../../apps/api-gateway/keyed-table.js';
import { startPostgres, type TestDatabase } from '../support/postgres.js';
import { life, seedSites } from './seed.js';
import { median, milliseconds, rateRow, say, timeRow, type Bench } from './table.js';

const RUNS = 5;
const SITES = Number(process.env.HOSTPLANE_BENCH_SITES ?? 20_000);
const EVENTS_EACH = 50;
const EVENTS = SITES * EVENTS_EACH;

/** T3, T4 and T17: what a log of a million events costs to read, to rebuild from and to verify. */
export const run: Bench = async (report, wants) => {
  const database = await startPostgres({ settings: { max_wal_size: '4GB', shared_buffers: '512MB' } });
  const begun = performance.now();
  await seedSites(database.urlOf('lifecycle'), SITES, EVENTS_EACH, (events) => say(`  ${events} of ${EVENTS} events written, ${milliseconds(performance.now() - begun)}`));
  const floor = await copyFloor(database);
  if (wants('T3')) report(rateRow(`T3 read and fold ${EVENTS} events`, await readAndFold(database), floor, 0.5));
  if (wants('T4')) await rebuildBesideLive(database, floor, report);
  if (wants('T17')) await verifyChain(database, report);
  await database.stop();
};

/** How fast PostgreSQL gives the rows out to nobody. */
async function copyFloor(database: TestDatabase): Promise<number> {
  const admin = await connect(database.adminUrl);
  await admin.query('VACUUM ANALYZE log.messages');
  const rates: number[] = [];
  for (let i = 0; i < RUNS; i++) rates.push(EVENTS / (await timed(() => admin.query("COPY (SELECT * FROM log.messages ORDER BY seq) TO '/dev/null' (FORMAT binary)"))));
  await admin.end();
  return median(rates);
}

/** Sites alone, in memory. */
const sitesOnly: ProjectionDefinition = {
  name: 'sites',
  version: 1,
  tables: [sitesTable as never],
  async apply(batch, tx) {
    const table = sitesTable as unknown as KeyedTable;
    const keys = [...new Set(batch.flatMap((message) => table.keyOf(message) ?? []))];
    await tx.put(table.table, [...foldBatch(table, (await tx.rows(table.table, keys)) as never, batch).values()]);
  },
};

async function readAndFold(database: TestDatabase): Promise<number> {
  const pool = new pg.Pool({ connectionString: database.urlOf('api-gateway') });
  const client = await pool.connect();
  const rates: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const memory = new MemoryTx(new Map([[sitesTable.table, sitesTable as never]]));
    rates.push(EVENTS / (await timed(async () => {
      for await (const position of foldRange(client, sitesOnly, { after: 0, upTo: EVENTS }, memory)) void position;
    })));
    if ((await memory.rows(sitesTable.table, [''])).size !== 0) throw new Error('A row came from nowhere.');
  }
  client.release();
  await pool.end();
  return median(rates);
}

const rebuildBesideLive = async (database: TestDatabase, floor: number, report: Parameters<Bench>[0]): Promise<void> => {
  const store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
  const writer = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
  const db = new pg.Pool({ connectionString: database.urlOf('api-gateway'), max: 10 });
  db.on('error', () => undefined);
  const projection = new Projection({ store, db, schema: 'api_gateway', definition: gatewayProjection });
  say(`  first build: ${milliseconds(1_000 * (await timed(() => projection.start())))}`);

  let isDone = false;
  let appended = 0;
  const readerErrors: string[] = [];
  const appending = (async () => {
    for (; !isDone; appended++) {
      const siteId = randomUUID();
      await writer.append([{ streamId: `site/${siteId}`, expectedVersion: 0, messages: life(siteId, 3) }]);
      projection.wake();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  const reading = (async () => {
    for (; !isDone; await new Promise((resolve) => setTimeout(resolve, 2))) {
      await db.query("SELECT * FROM api_gateway.sites WHERE owner = 'owner-7' ORDER BY created_position DESC LIMIT 50").catch((error: Error) => readerErrors.push(error.message));
    }
  })();
  const rates: number[] = [], swaps: number[] = [], grown: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const before = process.memoryUsage().rss;
    let most = before;
    const { position, swapMs, seconds } = await withTime(() => projection.rebuild(() => (most = Math.max(most, process.memoryUsage().rss))));
    rates.push(position / seconds);
    swaps.push(swapMs);
    grown.push((most - before) / 2 ** 20);
  }
  isDone = true;
  await Promise.all([appending, reading]);
  const swap = Math.max(...swaps);
  report(rateRow(`T4 rebuild all the gateway's tables, ${appended} appends beside`, median(rates), floor, 0.4, {
    note: `swap ≤ ${milliseconds(swap)}, ${readerErrors.length} reader errors, memory +${Math.max(...grown).toFixed(0)} MB`,
    alsoTarget: 'swap ≤ 20 ms, 0 errors', alsoMet: swap <= 20 && readerErrors.length === 0,
  }));
  await projection.stop();
  await writer.close();
  await store.close();
  await db.end();
};

const verifyChain = async (database: TestDatabase, report: Parameters<Bench>[0]): Promise<void> => {
  const client = await connect(database.urlOf('api-gateway'));
  const { rows: [size] } = await client.query<{ bytes: number }>('SELECT (avg(octet_length(data) + octet_length(meta)) + 130)::int AS bytes FROM log.messages WHERE seq < 10000');
  const message = randomBytes(size!.bytes);
  const ours: number[] = [], floors: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    floors.push(await timed(() => {
      for (let n = 0; n < EVENTS; n++) hash('sha256', message, 'binary');
    }));
    ours.push(await timed(async () => {
      const { fault } = await verify(client);
      if (fault) throw new Error(fault.what);
    }));
  }
  await client.end();
  report(timeRow(`T17 verify ${EVENTS} messages of ${size!.bytes} bytes`, 1_000 * median(ours), 1_000 * median(floors), 3));
};

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

/** Seconds. */
async function timed(act: () => unknown): Promise<number> {
  const begun = performance.now();
  await act();
  return (performance.now() - begun) / 1_000;
}

async function withTime<T extends object>(act: () => Promise<T>): Promise<T & { seconds: number }> {
  const begun = performance.now();
  return { ...(await act()), seconds: (performance.now() - begun) / 1_000 };
}
