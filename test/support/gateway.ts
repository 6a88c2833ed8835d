import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLogger } from '#boot/logger.js';
import type { Running } from '#boot/process.js';
import { EventStore } from '#eventstore/event-store.js';
import { start } from '../../apps/api-gateway/start.js';
import { connectAs } from './bus.js';
import { LifecycleStandIn } from './lifecycle-stand-in.js';
import { startNats, type TestNats } from './nats.js';
import { startPostgres, type TestDatabase } from './postgres.js';

/** The real gateway over real HTTP, PostgreSQL and NATS; only who answers its asks is a stand-in. */
export class TestGateway {
  private constructor(
    readonly url: string,
    readonly adminToken: string,
    readonly folder: string,
    readonly lifecycle: LifecycleStandIn,
    readonly log: string[],
    private readonly parts: { database: TestDatabase; nats: TestNats; store: EventStore; bus: NatsConnection; env: NodeJS.ProcessEnv; running: Running; unsubscribe: () => void },
  ) {}

  static async start(settings: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
    const [database, nats, port] = await Promise.all([startPostgres(), startNats(), freePort()]);
    const folder = await mkdtemp(join(tmpdir(), 'hostplane-gateway-'));
    const adminToken = `hp_${randomBytes(32).toString('base64url')}`;
    const bus = await connectAs(nats, 'lifecycle');
    const store = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle', onAppended: (position) => bus.publish('bell.log', String(position)) });
    const lifecycle = new LifecycleStandIn(store, bus);
    const unsubscribe = lifecycle.start();
    const env = {
      HOSTPLANE_API_GATEWAY_DATABASE_URL: database.urlOf('api-gateway'), HOSTPLANE_API_GATEWAY_NATS_URL: nats.url('api-gateway'),
      HOSTPLANE_API_PORT: String(port), HOSTPLANE_DATA: folder, HOSTPLANE_ADMIN_TOKEN: adminToken, ...settings,
    };
    const log: string[] = [];
    const running = await start({ name: 'api-gateway', env, log: createLogger({ app: 'api-gateway', level: settings['LOG_LEVEL'] ?? 'debug', destination: { write: (line: string) => void log.push(line) } }) });
    return new TestGateway(`http://127.0.0.1:${port}`, adminToken, folder, lifecycle, log, { database, nats, store, bus, env, running, unsubscribe });
  }

  /** lifecycle goes away. */
  silenceLifecycle(): void {
    this.parts.unsubscribe();
  }

  wakeLifecycle(): void {
    this.parts.unsubscribe = this.lifecycle.start();
  }

  /** Everything that is in the log. */
  events() {
    return this.parts.store.read({ after: 0, limit: 100_000 });
  }

  async stop(): Promise<void> {
    const { running, store, bus, nats, database } = this.parts;
    await running.stop();
    await store.close();
    await bus.close();
    await Promise.all([nats.stop(), database.stop()]);
    await rm(this.folder, { recursive: true, force: true });
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
