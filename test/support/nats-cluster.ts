import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderNatsConfig } from '#messaging/nats-config.js';
import { BUS_USERS, type BusUser } from '#messaging/subjects.js';
import { startNats as launch } from '../../infra/start/nats.js';
import { findNatsServer } from '../../infra/start/nats-server.js';
import { freePort } from '../../infra/start/ports.js';

/** Three nats-servers as one cluster, on free ports, each with its streams in a temporary folder of its own. */
export interface TestNatsCluster {
  /** The servers' names. */
  readonly names: readonly string[];
  /** nats://user:password@host:port of each server, separated by commas. */
  url(user: BusUser): string;
  /** kill -9 of one server; its streams stay. */
  kill(name: string): Promise<void>;
  /** Brings a killed one up again on its ports. */
  start(name: string): Promise<void>;
  /** Stops them and removes their folders. */
  stop(): Promise<void>;
}

export async function startNatsCluster(): Promise<TestNatsCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-cluster-'));
  const tell = () => undefined;
  const server = await findNatsServer({ configured: process.env['HOSTPLANE_NATS_SERVER'], tell });
  const passwords = Object.fromEntries(BUS_USERS.map((user) => [user, `test-${user}`])) as Record<BusUser, string>;
  const names = ['n1', 'n2', 'n3'];
  const clusterPorts = await Promise.all(names.map(() => freePort()));
  const routes = clusterPorts.map((port) => `127.0.0.1:${port}`);
  const launched = await Promise.all(
    names.map((serverName, index) => {
      const cluster = { name: 'test', password: 'test-route', serverName, port: clusterPorts[index]!, routes };
      const config = (place: { port: number; storeDir: string }) => renderNatsConfig({ ...place, passwords, hosts: ['local'], cluster });
      return launch({ home: { folder: join(folder, serverName), tell }, server, config });
    }),
  );
  const daemonOf = (name: string) => launched[names.indexOf(name)]!.daemon;
  return {
    names,
    url: (user) => launched.map(({ port }) => `nats://${user}:${passwords[user]}@127.0.0.1:${port}`).join(','),
    kill: (name) => daemonOf(name).stop('SIGKILL'),
    start: (name) => daemonOf(name).start(),
    stop: async () => {
      await Promise.all(launched.map(({ daemon }) => daemon.stop('SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
