import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLogger } from '#boot/logger.js';
import type { Running } from '#boot/process.js';
import type { StoredMessage } from '#contracts/message.js';
import type { Messages, MessageType } from '#contracts/registry.js';
import { isCommandType } from '#contracts/routing.js';
import { EventStore } from '#eventstore/event-store.js';
import { BusClient } from '#messaging/bus-client.js';
import { setupBus } from '#messaging/setup.js';
import { Vault as VaultClient, type Opened, type Wish } from '../../apps/provisioner/vault.js';
import { start as startRelay } from '../../apps/relay/start.js';
import { start as startSecrets } from '../../apps/secrets/start.js';
import { connectAs, silent, until } from './bus.js';
import { META } from './messages.js';
import { startNats, type TestNats } from './nats.js';
import { startPostgres, type TestDatabase } from './postgres.js';

/** The real vault on a log and a bus of its own, with the relay between them. */
export class TestVault {
  readonly log: string[] = [];
  private running: Running | undefined;

  private constructor(
    readonly database: TestDatabase,
    readonly nats: TestNats,
    readonly admin: NatsConnection,
    /** The data folder. */
    readonly folder: string,
    private readonly lifecycle: EventStore,
    private readonly provisioner: BusClient,
    private readonly relay: Running,
  ) {}

  static async start(): Promise<TestVault> {
    const [database, nats] = await Promise.all([startPostgres(), startNats()]);
    const admin = await connectAs(nats, 'admin');
    await setupBus(admin, { hosts: ['local'] });
    const log = createLogger({ app: 'relay', level: 'error' });
    const relay = await startRelay({ name: 'relay', log, env: { HOSTPLANE_RELAY_DATABASE_URL: database.urlOf('relay'), HOSTPLANE_RELAY_NATS_URL: nats.url('relay') } });
    const lifecycle = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle', onAppended: (position) => admin.publish('bell.log', String(position)) });
    const provisioner = await BusClient.connect({ url: nats.url('provisioner'), app: 'provisioner', log: silent });
    const vault = new TestVault(database, nats, admin, mkdtempSync(join(tmpdir(), 'hostplane-vault-')), lifecycle, provisioner, relay);
    await vault.open();
    return vault;
  }

  get keyrings(): string {
    return join(this.folder, 'vault', 'keyrings');
  }

  /** Starts the app. */
  async open(settings: NodeJS.ProcessEnv = {}): Promise<void> {
    const env = { HOSTPLANE_SECRETS_DATABASE_URL: this.database.urlOf('secrets'), HOSTPLANE_SECRETS_NATS_URL: this.nats.url('secrets'), HOSTPLANE_DATA: this.folder, ...settings };
    const log = createLogger({ app: 'secrets', level: 'debug', destination: { write: (line: string) => void this.log.push(line) } });
    this.running = await startSecrets({ name: 'secrets', env, log });
  }

  /** Stops the app. */
  async close(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
  }

  /** A project that lifecycle knows. */
  async project(projectId: string = randomUUID()): Promise<string> {
    await this.happen(`project/${projectId}`, 'ProjectRequested', { projectId, operationId: 'o', ownerId: META.owner, name: 'shop', hostId: 'local', subnet: '' });
    return projectId;
  }

  /** Sends a command as a workflow does, and waits for its answer. */
  async command<K extends 'EnsureKeyring' | 'DestroyKeyring' | 'EnsureSecrets'>(type: K, data: Omit<Messages[K], 'operationId' | 'turn'> & { readonly projectId: string }): Promise<StoredMessage> {
    const operationId = randomUUID();
    await this.happen(`operation/${operationId}`, type, { ...data, operationId, turn: 3 } as unknown as Messages[K]);
    let answer: StoredMessage | undefined;
    await until(`${type} is answered`, async () => {
      const answers = await this.lifecycle.readStream(`vault/${data.projectId}`);
      answer = answers.find((one) => (one.data as { operationId?: string }).operationId === operationId);
      return answer !== undefined;
    });
    return answer!;
  }

  /** Opens as a provisioner does, for one command. */
  reveal(wish: Omit<Wish, 'purpose'>, commandId: string = randomUUID()): Promise<Opened> {
    return new VaultClient(this.provisioner).open({ ...wish, purpose: 'workload' }, { id: commandId, meta: META });
  }

  /** Everything that is in the log. */
  events(): Promise<StoredMessage[]> {
    return this.lifecycle.read({ after: 0, limit: 100_000 });
  }

  async happen<K extends MessageType>(streamId: string, type: K, data: Messages[K]): Promise<void> {
    const { length } = await this.lifecycle.readStream(streamId);
    const kind = isCommandType(type) ? 'command' : 'event';
    await this.lifecycle.append([{ streamId, expectedVersion: length, messages: [{ id: randomUUID(), kind, type, data, meta: META }] }]);
  }

  async stop(): Promise<void> {
    await this.close();
    await this.relay.stop();
    await this.provisioner.close();
    await this.lifecycle.close();
    await this.admin.close();
    await Promise.all([this.nats.stop(), this.database.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
