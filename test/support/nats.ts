import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderNatsConfig } from '#messaging/nats-config.js';
import { BUS_USERS, type BusUser } from '#messaging/subjects.js';
import { startNats as launch } from '../../infra/start/nats.js';
import { findNatsServer } from '../../infra/start/nats-server.js';

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

/** The launcher's own nats-server, in a folder that goes when it stops. */
export async function startNats(options: { hosts?: readonly string[] } = {}): Promise<TestNats> {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-nats-'));
  const tell = () => undefined;
  const server = await findNatsServer({ configured: process.env['HOSTPLANE_NATS_SERVER'], tell });
  const passwords = Object.fromEntries(BUS_USERS.map((user) => [user, `test-${user}`])) as Record<BusUser, string>;
  const { daemon, port } = await launch({ home: { folder, tell }, server, config: (place) => renderNatsConfig({ ...place, passwords, hosts: options.hosts ?? ['local'] }) });
  const kill = () => daemon.stop('SIGKILL');
  return {
    port,
    url: (user) => `nats://${user}:${passwords[user]}@127.0.0.1:${port}`,
    kill,
    restart: async ({ empty = false } = {}) => {
      await kill();
      if (empty) rmSync(join(folder, 'nats', 'jetstream'), { recursive: true, force: true });
      await daemon.start();
    },
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
