import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres, type EmbeddedPostgres } from './postgres.js';

const said: string[] = [];
let folder: string;
let running: EmbeddedPostgres | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostplane-launch-'));
  chmodSync(folder, 0o711);
});
afterEach(async () => {
  await running?.daemon.stop();
  running = undefined;
  const link = join(folder, 'postgres');
  if (existsSync(link)) rmSync(realpathSync(link), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

async function start(password = 'a b/c'): Promise<EmbeddedPostgres> {
  return (running = await startPostgres({ home: { folder, tell: (line) => said.push(line) }, password }));
}

async function query(sql: string, url = running!.adminUrl): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  it('has checksums, listens on loopback alone and asks for the password', async () => {
    await start();
    expect(await query("SELECT current_setting('data_checksums') c, current_setting('listen_addresses') l, current_setting('fsync') f")).toEqual([{ c: 'on', l: '127.0.0.1', f: 'on' }]);
    await expect(query('SELECT 1', running!.adminUrl.replace('a%20b%2Fc', 'wrong'))).rejects.toThrow(/password authentication failed/);
  });

  it('comes back with its data after a crash, by itself', async () => {
    await start();
    await query('CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)');
    const { pid } = running!.daemon;
    process.kill(pid!, 'SIGKILL');
    await running!.daemon.replaced(pid);
    expect(await query('SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  it('starts though a pid file of before a reboot names a process that is somebody else now', async () => {
    await start();
    const pidFile = join(running!.folder, 'cluster', 'postmaster.pid');
    const left = readFileSync(pidFile, 'utf8');
    await running!.daemon.stop();
    writeFileSync(pidFile, left.replace(/^\d+/, String(process.pid)));
    await start();
    expect(await query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('says so when its password is another than ours', async () => {
    await start('first');
    await running!.daemon.stop();
    await expect(start('second')).rejects.toThrow(/credentials\.json is not the one/);
  });

  it('goes to a place that it can reach when the data folder is closed to others', async () => {
    chmodSync(folder, 0o700);
    await start();
    expect(await query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
    expect(realpathSync(join(folder, 'postgres'))).toBe(running!.folder);
  });

  it('says why it does not start, with the end of its log', async () => {
    await expect(startPostgres({ home: { folder, tell: () => undefined }, password: 'x', settings: { shared_buffers: 'plenty' } })).rejects.toThrow(/postgres did not start: it ended \(exit code 1\)[^]*invalid value for parameter "shared_buffers"/);
  });
});
