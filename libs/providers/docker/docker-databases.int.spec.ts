import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, it, jest } from '@jest/globals';
import { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import { databaseContainer, databaseVolume } from '#domain/naming/naming.js';
import { describeWithDocker } from '../../../test/support/docker.js';
import { databaseContract, type DatabaseWorld } from '../contract/databases.contract.js';
import { serverIdOf } from './database-requests.js';
import { DockerDatabases, type DockerDatabasesOptions } from './docker-databases.js';
import { Engine } from './engine.js';
import { LABEL } from './requests.js';
import { defaultSettings } from './settings.js';

jest.setTimeout(120_000);
const run = promisify(execFile);
/** Built by infra/images; `npm test` sees to it. */
const IMAGE = 'hostplane-test/mariadb:latest';
const ROOT = 'planted-root-password';
const docker = async (...args: string[]): Promise<string> => (await run('docker', args)).stdout.trim();
const lines = (text: string): string[] => text.split('\n').filter(Boolean);

interface DockerWorld extends DatabaseWorld {
  readonly plane: string;
  with(options: Partial<DockerDatabasesOptions>): DockerDatabases;
}

/** Returns once a server takes connections; who asks needs no password for that. */
async function answers(id: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    const problem = await docker('exec', id, 'mariadb-admin', '--no-defaults', '--socket=/run/mysqld/mysqld.sock', 'ping').then(() => undefined, (error: Error) => error);
    if (!problem) return;
    if (Date.now() > end) throw problem;
  }
}

async function open(): Promise<DockerWorld> {
  const plane = `test-${randomUUID().slice(0, 8)}`;
  const options = { plane, database: { ...defaultSettings.database, image: IMAGE }, healthyWithinMs: 20_000 };
  const ours = `label=${LABEL.plane}=${plane}`;
  const make = () => new DockerDatabases(options);
  return {
    plane,
    databases: make(),
    restarted: make,
    impatient: () => new DockerDatabases({ ...options, healthyWithinMs: 1_000 }),
    with: (other) => new DockerDatabases({ ...options, ...other }),
    freshSpec: (server = 'shared') => DatabaseSpec.fromJSON({ siteId: randomUUID(), projectId: randomUUID(), runtime: 'docker', server, passwordSecret: 'unused' }),
    rootPassword: ROOT,
    ask: async (spec, { user, password }, sql) => {
      const socket = databaseVolume(serverIdOf({ plane }, spec), 'socket');
      const client = ['run', '--rm', '--network', 'none', '--user', '33:33', '-v', `${socket}:/s:ro`, '-e', `MYSQL_PWD=${password}`, IMAGE, 'mariadb', '--no-defaults', '-u', user, '--socket=/s/mysqld.sock', '-NB', '-e', sql];
      return docker(...client).then((said) => ({ said }), (error: { stderr: string }) => ({ problem: error.stderr }));
    },
    powerCut: async () => {
      const servers = lines(await docker('ps', '-q', '--filter', ours));
      await docker('kill', ...servers);
      await docker('start', ...servers);
      for (const id of servers) await answers(id);
    },
    leftovers: async () => (await Promise.all([docker('ps', '-a', '--format', '{{.Names}}', '--filter', ours), docker('volume', 'ls', '-q', '--filter', ours)])).flatMap(lines),
    close: async () => undefined,
  };
}

describeWithDocker('docker', () => databaseContract('docker', open));

describeWithDocker('the docker database server itself', () => {
  it('runs without root, capabilities or a network, within its limits, and shows its root password nowhere', async () => {
    const world = await open();
    const spec = world.freshSpec();
    await world.databases.ensure(spec, { rootPassword: ROOT, password: 'planted-user-password' });
    const name = databaseContainer(serverIdOf(world, spec));
    const status = await docker('exec', name, 'cat', '/proc/1/status');
    expect([/Uid:\s+999\s+999/, /CapEff:\s+0{16}\n/, /NoNewPrivs:\s+1/].map((one) => one.test(status))).toEqual([true, true, true]);
    const inspected = await docker('inspect', name);
    expect(JSON.parse(inspected)).toMatchObject([{ HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], Memory: 1024 ** 3, PidsLimit: 1024, RestartPolicy: { Name: 'unless-stopped' } } }]);
    const everything = [inspected, await docker('logs', name), await docker('exec', name, 'sh', '-c', 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /hostplane-secrets/* /var/lib/mysql/.init.sql')].join();
    expect(everything).not.toMatch(/planted-/);
    await world.databases.remove(spec, false, async () => ROOT);
    expect(await world.leftovers()).toEqual([]);
  });

  it.each([
    ['an image that is nowhere', { image: 'hostplane.invalid/nothing:here' }, /hostplane\.invalid\/nothing/],
    ['an image that is no database server', { image: 'hostplane-test/static:latest' }, /did not become healthy|ended/],
  ])('leaves nothing behind when a new server does not come up: %s', async (_, image, message) => {
    const world = await open();
    const databases = world.with({ database: { ...defaultSettings.database, ...image }, healthyWithinMs: 1_500 });
    const spec = world.freshSpec();
    await expect(databases.ensure(spec, { rootPassword: ROOT, password: 'x' })).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(message) });
    await databases.remove(spec, false, () => Promise.reject(new Error('Nobody needs to sign in.')));
    expect(await world.leftovers()).toEqual([]);
  });

  it('brings a server that somebody stopped up again, and makes one anew whose container somebody removed', async () => {
    const world = await open();
    const spec = world.freshSpec();
    const secrets = { rootPassword: ROOT, password: 'x' };
    const name = databaseContainer(serverIdOf(world, spec));
    await world.databases.ensure(spec, secrets);
    await world.ask(spec, { user: 'nobody', password: '' }, '');
    for (const harm of [['stop', '-t', '10', name], ['rm', '-f', name]]) {
      await docker(...harm);
      expect(await world.databases.sizes()).toEqual({ bytes: new Map(), isWhole: false });
      await world.databases.ensure(spec, secrets);
      expect(await world.databases.sizes()).toMatchObject({ isWhole: true });
    }
    await docker('rm', '-f', name);
    await world.databases.remove(spec, false, async () => ROOT);
    expect(await world.leftovers()).toEqual([]);
  });

  it('is woken for a site that is to run: what is down is brought up, what runs is not asked, and where none is, none is made', async () => {
    const world = await open();
    const spec = world.freshSpec();
    const nobodyAsks = () => Promise.reject(new Error('Nobody needs to sign in.'));
    await world.databases.wake(spec, nobodyAsks);
    expect(await world.leftovers()).toEqual([]);
    await world.databases.ensure(spec, { rootPassword: ROOT, password: 'x' });
    await world.databases.wake(spec, nobodyAsks);
    const name = databaseContainer(serverIdOf(world, spec));
    await docker('stop', '-t', '10', name);
    await world.databases.wake(spec, async () => ROOT);
    expect(await docker('inspect', '-f', '{{.State.Running}}', name)).toBe('true');
    await world.databases.remove(spec, false, async () => ROOT);
    expect(await world.leftovers()).toEqual([]);
  });

  it('lets go of a database that was never made while its server is down', async () => {
    const world = await open();
    const [there, never] = [world.freshSpec(), world.freshSpec()];
    await world.databases.ensure(there, { rootPassword: ROOT, password: 'x' });
    const broken = world.with({ healthyWithinMs: 1_000 });
    await broken.remove(never, false, async () => 'not the root password');
    await expect(broken.remove(there, false, async () => 'not the root password')).rejects.toMatchObject({ name: 'ProviderError' });
    await world.databases.remove(there, false, async () => ROOT);
    expect(await world.leftovers()).toEqual([]);
  });

  it('holds no connection to the engine once it knows whether a database is there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hp-engine-'));
    const socketPath = join(folder, 'docker.sock');
    let held = 0;
    const between = createServer((caller) => {
      held++;
      caller.on('close', () => held--).pipe(connect('/var/run/docker.sock')).pipe(caller);
    });
    await new Promise<void>((listening) => between.listen(socketPath, listening));
    const id = await docker('create', 'hostplane-test/static:latest');
    const shortly = { socketPath, agent: new Agent({ keepAlive: true, timeout: 100 }) };
    const engine = new Engine(shortly);
    expect([await engine.hasPath(id, '/bin'), await engine.hasPath(id, '/nowhere')]).toEqual([true, false]);
    for (const end = Date.now() + 10_000; held > 0 && Date.now() < end; ) await sleep(10);
    await docker('rm', id);
    between.close();
    rmSync(folder, { recursive: true });
    expect(held).toBe(0);
  });
});
