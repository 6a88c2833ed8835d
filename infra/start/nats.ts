import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { withoutSecrets } from './addresses.js';
import { Daemon, type DaemonHome } from './daemon.js';
import type { NatsServer } from './nats-server.js';
import { freePort } from './ports.js';

export interface EmbeddedNats {
  readonly daemon: Daemon;
  readonly port: number;
}

export interface NatsPlace {
  readonly host: string;
  readonly port: number;
  /** Where JetStream keeps its files. */
  readonly storeDir: string;
}

export interface NatsOptions {
  readonly home: DaemonHome;
  readonly server: NatsServer;
  /** 0: any free one. */
  readonly port?: number;
  /** The whole text of its configuration file. */
  readonly config: (place: NatsPlace) => string;
}

/** A nats-server of its own in the data folder, kept running. */
export async function startNats(options: NatsOptions): Promise<EmbeddedNats> {
  const host = '127.0.0.1';
  const port = options.port || (await freePort(host));
  const folder = join(options.home.folder, 'nats');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'nats.conf');
  writeFileSync(file, options.config({ host, port, storeDir: folder }), { mode: 0o600 });
  const daemon = new Daemon(
    {
      name: 'nats',
      command: options.server.program,
      args: ['-c', file],
      cwd: folder,
      env: withoutSecrets(process.env),
      stopGraceMs: 15_000,
      isReady: () => greets(host, port),
    },
    options.home,
  );
  await daemon.start();
  return { daemon, port };
}

/** Whether what listens speaks NATS: the server says INFO first. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const answer = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', (data) => answer(data.toString('latin1').startsWith('INFO ')));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
