import { randomUUID } from 'node:crypto';
import { BackupCommands } from '../../apps/lifecycle/backup.commands.js';
import { lifecycleConfig } from '../../apps/lifecycle/lifecycle.config.js';
import { ProjectCommands } from '../../apps/lifecycle/project.commands.js';
import { settleSite } from '../../apps/lifecycle/settle.js';
import { SiteCommands } from '../../apps/lifecycle/site.commands.js';
import { readConfig } from '#boot/config.js';
import type { Cause } from '#contracts/message.js';
import { backupDecider } from '#domain/backup/backup.js';
import type { Operation } from '#domain/operation/operation.js';
import type { WorkflowKind } from '#domain/operation/workflow.js';
import { projectDecider, useOf, type Project } from '#domain/project/project.js';
import { siteDecider } from '#domain/site/site.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { startPostgres, type TestDatabase } from './postgres.js';

/** What lifecycle decides, asked as people ask it, on a real log; what hosts would do is done at once. */
export class LifecycleWorld {
  readonly settings = readConfig(lifecycleConfig, { HOSTPLANE_LIFECYCLE_DATABASE_URL: 'postgres://x', HOSTPLANE_LIFECYCLE_NATS_URL: 'nats://x', HOSTPLANE_DATABASE_MEMORY_LIMIT: '2G' });

  private constructor(
    private readonly database: TestDatabase,
    /** Of two processes of lifecycle. */
    readonly stores: readonly [EventStore, EventStore],
    readonly host: EventStore,
  ) {}

  static async start(): Promise<LifecycleWorld> {
    const database = await startPostgres();
    const store = (app: 'lifecycle' | 'provisioner') => new EventStore({ connectionString: database.urlOf(app), app });
    return new LifecycleWorld(database, [store('lifecycle'), store('lifecycle')], store('provisioner'));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.stores, this.host].map((store) => store.close()));
    await this.database.stop();
  }

  get store(): EventStore {
    return this.stores[0];
  }

  by(member = 'ann'): Cause {
    return { id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann', member } };
  }

  /** One process of lifecycle, with a usual quota of the disk. */
  sites(disk: number | null = null, process: 0 | 1 = 0): SiteCommands {
    return new SiteCommands(this.stores[process], { ...this.settings, HOSTPLANE_QUOTA_DISK: disk });
  }

  blog(projectId: string, server = 'shared', restoreFrom = '') {
    return {
      siteId: randomUUID(), operationId: randomUUID(), projectId, ownerId: 'ann', name: `s-${randomUUID().slice(0, 8)}`, kind: 'wordpress', runtime: 'docker', app: undefined, limits: undefined, restoreFrom,
      wordpress: { phpVersion: '', title: 'Blog', adminUser: 'admin', adminEmail: 'a@example.com', locale: '', database: server },
    };
  }

  async project(): Promise<string> {
    const [projectId, operationId] = [randomUUID(), randomUUID()];
    await new ProjectCommands(this.store, this.settings).create({ projectId, operationId, ownerId: 'ann', name: `p-${projectId.slice(0, 8)}`, hostId: 'local' }, this.by());
    for (const type of ['BeginProvisioning', 'StartProject'] as const) await handle(this.store, this.by(), [on(projectDecider, projectId, { type, operationId })]);
    return projectId;
  }

  async live(projectId: string, server = 'shared', restoreFrom = ''): Promise<string> {
    const made = this.blog(projectId, server, restoreFrom);
    await this.sites().create(made, this.by());
    await handle(this.store, this.by(), [on(siteDecider, made.siteId, { type: 'BeginProvisioning', operationId: made.operationId })]);
    await this.ended(made.siteId, made.operationId, 'launch-wordpress');
    return made.siteId;
  }

  async destroyed(siteId: string, keepData: boolean): Promise<void> {
    const operationId = randomUUID();
    await this.sites().destroy({ siteId, operationId, keepData }, this.by());
    await this.ended(siteId, operationId, 'remove-wordpress');
  }

  /** Records the end of a site's operation as the workflow does; `error`: that of its first step. */
  async ended(siteId: string, operationId: string, kind: WorkflowKind, error?: string): Promise<void> {
    const { state: site } = await loadState(this.store, siteDecider, siteId);
    const failure = error === undefined ? undefined : { step: 'workload', error, undone: [] };
    const operation: Operation = { status: failure ? 'failed' : 'succeeded', id: operationId, kind, siteId, projectId: '', backupId: '', input: {}, step: 0, turn: 0, outputs: {}, failure };
    await handle(this.store, this.by(), settleSite(operation, site));
  }

  async taken(projectId: string, siteId: string, sizeBytes: number): Promise<string> {
    const [backupId, operationId] = [randomUUID(), randomUUID()];
    const backup = { backupId, operationId, siteId, projectId, ownerId: 'ann', hostId: 'local', siteName: 's', kind: 'wordpress', releaseId: '', content: undefined };
    await handle(this.store, this.by(), [on(backupDecider, backupId, { type: 'RequestBackup', backup })]);
    await handle(this.store, this.by(), [on(backupDecider, backupId, { type: 'CompleteBackup', operationId, ref: { backupId, target: 'local', key: 'k', sha256: 'a'.repeat(64), sizeBytes }, durationMs: 1, frozenMs: 1 })]);
    return backupId;
  }

  restore(backupId: string, disk: number, name = '', process: 0 | 1 = 0) {
    return new BackupCommands(this.stores[process], this.sites(disk, process)).restore({ backupId, operationId: randomUUID(), siteId: randomUUID(), ownerId: 'ann', name, dataId: randomUUID(), projectId: '' }, this.by());
  }

  /** As a new site of another project. */
  restoreInto(projectId: string, backupId: string, member = 'ann') {
    const ask = { backupId, operationId: randomUUID(), siteId: randomUUID(), ownerId: 'ann', name: `c-${randomUUID().slice(0, 8)}`, dataId: randomUUID(), projectId };
    return new BackupCommands(this.store, this.sites()).restore(ask, this.by(member));
  }

  async use(projectId: string) {
    return useOf((await loadState(this.store, projectDecider, projectId)).state as Project);
  }
}
