import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { createLogger } from '#boot/logger.js';
import type { Running } from '#boot/process.js';
import { domainDecider } from '#domain/domain-name/domain-name.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { setupBus } from '#messaging/setup.js';
import { start } from '../../apps/api-gateway/start.js';
import { start as startDomains } from '../../apps/domains/start.js';
import { start as startSecrets } from '../../apps/secrets/start.js';
import { freePort } from '../../infra/start/ports.js';
import { connectAs } from './bus.js';
import { LifecycleStandIn } from './lifecycle-stand-in.js';
import { startNats, type TestNats } from './nats.js';
import { startPostgres, type TestDatabase } from './postgres.js';

/** The real gateway over real HTTP, PostgreSQL, NATS and vault; only lifecycle, which answers its other asks, is a stand-in. */
export class TestGateway {
  private vault: Running | undefined;
  private domains: Running | undefined;

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
    const admin = await connectAs(nats, 'admin');
    await setupBus(admin, { hosts: ['local'] }).finally(() => admin.close());
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
    const gateway = new TestGateway(`http://127.0.0.1:${port}`, adminToken, folder, lifecycle, log, { database, nats, store, bus, env, running, unsubscribe });
    await gateway.openVault();
    return gateway;
  }

  /** A custom domain of a site, as the domains app would have recorded it. */
  async attachDomain(name: string, site: { siteId: string; projectId: string; ownerId: string }): Promise<void> {
    const claim = { ...site, name, claimId: randomUUID(), challenge: 'token', redirectTo: '', redirectStatus: 0 };
    const policy = { firstDelayMs: 1, longestDelayMs: 1, deadlineMs: 1, edgeDelayMs: 1 };
    const cause = { id: claim.claimId, meta: { correlationId: 'test', causationId: 'test', actor: 'system:domains', owner: site.ownerId } };
    await this.inDomains((store) => handle(store, cause, [on(domainDecider, name, { type: 'RequestDomain', claim, expected: [], now: new Date().toISOString(), policy })]));
  }

  /** Does something in the log as the domains app. */
  async inDomains(work: (store: EventStore) => Promise<unknown>): Promise<void> {
    const store = new EventStore({ connectionString: this.parts.database.urlOf('domains'), app: 'domains', onAppended: (position) => this.parts.bus.publish('bell.log', String(position)) });
    await work(store).finally(() => store.close());
  }

  /** The real domains app answers too; what it answers ends with the test. */
  async openDomains(): Promise<void> {
    const { database, nats } = this.parts;
    const env = { HOSTPLANE_DOMAINS_DATABASE_URL: database.urlOf('domains'), HOSTPLANE_DOMAINS_NATS_URL: nats.url('domains'), HOSTPLANE_DNS_RESOLVERS: '127.0.0.1' };
    this.domains = await startDomains({ name: 'domains', env, log: createLogger({ app: 'domains', level: 'debug', destination: { write: (line: string) => void this.log.push(line) } }) });
  }

  async openVault(): Promise<void> {
    const { database, nats } = this.parts;
    const env = { HOSTPLANE_SECRETS_DATABASE_URL: database.urlOf('secrets'), HOSTPLANE_SECRETS_NATS_URL: nats.url('secrets'), HOSTPLANE_DATA: this.folder };
    this.vault = await startSecrets({ name: 'secrets', env, log: createLogger({ app: 'secrets', level: 'debug', destination: { write: (line: string) => void this.log.push(line) } }) });
  }

  async closeVault(): Promise<void> {
    await this.vault?.stop();
  }

  /** As if the gateway had died before it kept any answer. */
  forgetAnswers(): Promise<void> {
    return this.inTables('UPDATE api_gateway.first_answers SET status = NULL, body = NULL, headers = NULL');
  }

  /** Does something behind the gateway's back, with its own tables. */
  async inTables(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.parts.database.urlOf('api-gateway') });
    await client.connect();
    await client.query(sql).finally(() => client.end());
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
    await this.closeVault();
    await this.domains?.stop();
    await store.close();
    await bus.close();
    await Promise.all([nats.stop(), database.stop()]);
    await rm(this.folder, { recursive: true, force: true });
  }
}
