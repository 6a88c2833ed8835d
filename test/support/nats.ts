import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { renderNatsConfig } from '#messaging/nats-config.js';
import { BUS_USERS, type BusUser } from '#messaging/subjects.js';

const ROOT = join(import.meta.dirname, '..', '..');

/** A nats-server of one's own on a free port, with its streams in a temporary folder. */
export interface TestNats {
  readonly port: number;
  /** nats://user:password@host:port of a user. */
  url(user: BusUser): string;
  /** kill -9; the streams stay. */
  kill(): Promise<void>;
  /** Brings it up again on the same port; with `empty` its streams are gone. */
  restart(options?: { empty?: boolean }): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

export async function startNats(options: { hosts?: readonly string[] } = {}): Promise<TestNats> {
  const binary = findNatsServer();
  const folder = await mkdtemp(join(tmpdir(), 'hostplane-nats-'));
  const port = await freePort();
  const passwords = Object.fromEntries(BUS_USERS.map((user) => [user, `test-${user}`])) as Record<BusUser, string>;
  const storeDir = join(folder, 'store');
  const configFile = join(folder, 'nats.conf');
  await writeFile(configFile, renderNatsConfig({ port, storeDir, passwords, hosts: options.hosts ?? ['local'] }), { mode: 0o600 });
  let server = await run(binary, configFile, port);

  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  return {
    port,
    url: (user) => `nats://${user}:${passwords[user]}@127.0.0.1:${port}`,
    kill,
    restart: async ({ empty = false } = {}) => {
      await kill();
      if (empty) await rm(storeDir, { recursive: true, force: true });
      server = await run(binary, configFile, port);
    },
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The nats-server that is configured, on PATH, or was fetched by a start of the plane. */
function findNatsServer(): string {
  const data = process.env['HOSTPLANE_DATA'] ?? join(ROOT, '.hostplane');
  const candidates = [
    process.env['HOSTPLANE_NATS_SERVER'],
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'nats-server')),
    join(data, 'bin', 'nats-server'),
    join(ROOT, '.hostplane', 'bin', 'nats-server'),
  ];
  const found = candidates.find((path) => path !== undefined && isExecutable(path));
  if (!found) throw new Error('These tests need a nats-server (2.10 or later): put it on PATH, name it in HOSTPLANE_NATS_SERVER, or run npm start once, which fetches one.');
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function run(binary: string, configFile: string, port: number): Promise<ChildProcess> {
  await mkdir(join(configFile, '..'), { recursive: true });
  const server = spawn(binary, ['-c', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  for (let tries = 0; tries < 200; tries += 1) {
    if (server.exitCode !== null) throw new Error(`nats-server ended with ${server.exitCode}:\n${said}`);
    if (await answers(port)) return server;
    await sleep(25);
  }
  server.kill('SIGKILL');
  throw new Error(`nats-server did not answer on port ${port} within 5 s:\n${said}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.once('data', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => (socket.destroy(), resolve(false)));
  });
}
