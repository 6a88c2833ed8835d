import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Cause, NewMessage, StoredMessage } from '#contracts/message.js';
import { decodeData, type Messages, type MessageOf, type MessageType } from '#contracts/registry.js';
import { membersDecider, type MembersCommand } from '#domain/access/members.js';
import type { Right } from '#domain/access/rights.js';
import { backupDecider } from '#domain/backup/backup.js';
import { nameDecider } from '#domain/naming/claim.js';
import { checkName } from '#domain/naming/names.js';
import { projectDecider } from '#domain/project/project.js';
import { Refusal } from '#domain/refusal.js';
import { wishOf, type Quota } from '#domain/project/quota.js';
import { databaseServer, needsOf } from '#domain/site/needs.js';
import { checkRequest, usualDatabase } from '#domain/site/request.js';
import { siteDecider, type Site, type SiteCommand } from '#domain/site/site.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part } from '#eventstore/handle.js';
import { readCause } from '#messaging/envelope.js';
import { authorized } from '#eventstore/authorized.js';

/**
 * Answers the gateway's asks as lifecycle does, with the real deciders and the real log, and nothing behind it: what is accepted
 * ends at once as it should when `isEager`, else when the test says so.
 */
export class LifecycleStandIn {
  isEager = true;
  /** Types that were asked, in order. */
  readonly asked: string[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly bus: NatsConnection,
  ) {}

  start(): () => void {
    const subscription = this.bus.subscribe('ask.lifecycle.*', {
      callback: (_, message) => {
        const type = message.subject.split('.')[2] as MessageType;
        this.asked.push(type);
        const reply = (answer: object) => message.respond(JSON.stringify(answer));
        this.answer(type, decodeData(type, message.string()), readCause(message.headers)).then(
          async (value) => reply({ value: this.isEager ? { ...value, position: await this.store.head() } : value }),
          (error: Error) => reply(error instanceof Refusal ? { refusal: { code: error.code, message: error.message, field: error.field } } : { failure: { message: error.message, retryable: false } }),
        );
      },
    });
    return () => subscription.unsubscribe();
  }

  /** Appends events to a stream, as its writer would. */
  async happen(streamId: string, owner: string, ...events: MessageOf<MessageType>[]): Promise<StoredMessage[]> {
    const meta = { correlationId: 'test', causationId: randomUUID(), actor: 'system:lifecycle', owner };
    const messages = events.map((event): NewMessage => ({ ...event, id: randomUUID(), kind: 'event', meta }));
    const { length } = await this.store.readStream(streamId);
    return [...(await this.store.append([{ streamId, expectedVersion: length, messages }])).messages];
  }

  /** Ends an operation of a site well. */
  async succeed(siteId: string, operationId: string, owner: string, kind: string, command: SiteCommand): Promise<void> {
    const cause = { id: randomUUID(), meta: { correlationId: 'test', causationId: 'test', actor: 'system:lifecycle', owner } };
    await this.happen(`operation/${operationId}`, owner, ...operationEvents(operationId, siteId, kind));
    await handle(this.store, cause, [on(siteDecider, siteId, command)]);
  }

  private async answer(type: MessageType, data: unknown, cause: Cause): Promise<object> {
    switch (type) {
      case 'CreateProject': return this.createProject(data as Messages['CreateProject'], cause);
      case 'DeleteProject': return this.project(cause, data as Messages['DeleteProject'], 'DeleteProject');
      case 'RetryProject': return this.project(cause, data as Messages['RetryProject'], 'RetryProject');
      case 'SetQuota': {
        const { projectId, quota } = data as Messages['SetQuota'];
        const { position } = await handle(this.store, cause, [on(projectDecider, projectId, { type: 'SetQuota', quota: wishOf(quota) })]);
        return { resourceId: projectId, operationId: '', position };
      }
      case 'AddMember':
      case 'ChangeMember':
      case 'RemoveMember': return this.member(cause, { ...(data as Messages['ChangeMember']), type });
      case 'CreateSite': return this.createSite(data as Messages['CreateSite'], cause);
      case 'BackUpSite': return this.backUp(data as Messages['BackUpSite'], cause);
      case 'CancelOperation': {
        const { operationId, reason } = data as Messages['CancelOperation'];
        const [message] = await this.happen(`operation/${operationId}`, cause.meta.owner, { type: 'OperationFailed', data: { operationId, step: '', error: reason, undone: [] } });
        return { resourceId: '', operationId, position: message!.position };
      }
      default: return this.site(type, data as { siteId: string; operationId: string }, cause);
    }
  }

  private async backUp({ siteId, operationId, backupId, destroyOperationId }: Messages['BackUpSite'], cause: Cause): Promise<object> {
    const { position, duplicate } = await handle(this.store, cause, [on(siteDecider, siteId, { type: 'BackUpSite', operationId, backupId, destroyOperationId })], {
      then: ([site]) => {
        const { projectId, ownerId, hostId, name, kind } = (site as Site).request;
        const backup = { backupId, operationId, siteId, projectId, ownerId, hostId, siteName: name, kind, releaseId: '', content: undefined };
        return [on(backupDecider, backupId, { type: 'RequestBackup', backup })];
      },
    });
    const ref = { backupId, target: 'local', key: `${backupId}.tar`, sha256: 'a'.repeat(64), sizeBytes: 1 };
    const taken = { operationId, ref, durationMs: 1, frozenMs: 1 };
    if (this.isEager && !duplicate) {
      await this.succeed(siteId, operationId, cause.meta.owner, 'backup-site', { type: 'FinishBackup', ...taken });
      await handle(this.store, { ...cause, id: randomUUID() }, [on(backupDecider, backupId, { type: 'CompleteBackup', ...taken })]);
    }
    return { resourceId: backupId, operationId, position };
  }

  private async createProject(ask: Messages['CreateProject'], cause: Cause): Promise<object> {
    const { projectId, operationId, ownerId, name } = ask;
    const key = `${ownerId}:project:${name}`;
    const { position } = await handle(this.store, cause, [
      on(projectDecider, projectId, { type: 'RequestProject', project: { ...ask, subnet: '10.77.0.0/24' } }),
      on(nameDecider, key, { type: 'ClaimName', name, holderId: projectId }),
    ]);
    return { resourceId: projectId, operationId, position };
  }

  private async project(cause: Cause, { projectId, operationId }: { projectId: string; operationId: string }, type: 'DeleteProject' | 'RetryProject'): Promise<object> {
    const founderId = await this.founderOf(projectId);
    const allowed = authorized(cause, { projectId, founderId }, type === 'DeleteProject' ? 'projects:delete' : 'projects:run');
    const { position } = await handle(this.store, cause, [on(projectDecider, projectId, { type, operationId }), allowed]);
    return { resourceId: projectId, operationId, position };
  }

  private async member(cause: Cause, asked: Messages['ChangeMember'] & { type: 'AddMember' | 'ChangeMember' | 'RemoveMember' }): Promise<object> {
    const command: MembersCommand = { ...asked, founderId: await this.founderOf(asked.projectId), by: cause.meta.member ?? '' };
    const { position } = await handle(this.store, cause, [on(membersDecider, asked.projectId, command)]);
    return { resourceId: asked.projectId, operationId: '', position };
  }

  private async founderOf(projectId: string): Promise<string> {
    const { state } = await loadState(this.store, projectDecider, projectId);
    return state.status === 'absent' ? '' : state.request.ownerId;
  }

  private async createSite(ask: Messages['CreateSite'], cause: Cause): Promise<object> {
    const { siteId, projectId, operationId, ownerId, name } = ask;
    checkName(name, 'site');
    const runtime = ask.runtime || (ask.kind === 'app' ? 'docker' : 'files');
    const wordpress = ask.wordpress && { ...ask.wordpress, database: ask.wordpress.database || usualDatabase(runtime) };
    const site = { ...ask, wordpress, runtime, hostId: 'local', hostname: name, address: '', subnet: '', dataId: ask.restoreFrom, backupId: '', releaseId: '', content: undefined };
    checkRequest(site);
    const parts: Part[] = [
      on(projectDecider, projectId, { type: 'AdmitSite', runtime: 'files', siteId, needsAddress: false, needs: needsOf(site, { memoryBytes: 512 * 1024 ** 2, cpuMillis: 1000 }, databaseServer), usual }),
      authorized(cause, { projectId, founderId: ownerId }, 'sites:create'),
      on(siteDecider, siteId, { type: 'RequestSite', site }),
      on(nameDecider, `${ownerId}:site:${name}`, { type: 'ClaimName', name, holderId: siteId }),
    ];
    const { position, duplicate } = await handle(this.store, cause, parts);
    if (this.isEager && !duplicate) await this.launch(siteId, operationId, cause);
    return { resourceId: siteId, operationId, position };
  }

  /** Puts a site that was asked for live. */
  async launch(siteId: string, operationId: string, { meta: { owner } }: Cause): Promise<void> {
    const cause = { id: randomUUID(), meta: { correlationId: 'test', causationId: 'test', actor: 'system:lifecycle', owner } };
    await handle(this.store, cause, [on(siteDecider, siteId, { type: 'BeginProvisioning', operationId })]);
    await this.succeed(siteId, operationId, owner, 'launch-site', { type: 'ActivateSite', operationId, target: { address: '', port: 0, root: siteId } });
  }

  private async site(type: MessageType, data: { siteId: string; operationId: string }, cause: Cause): Promise<object> {
    const { siteId, operationId } = data;
    const { position, duplicate } = await handle(this.store, cause, [on(siteDecider, siteId, { ...data, type: type === 'DiscardSiteData' ? 'DiscardData' : type } as never)], {
      then: ([site]) => {
        const { projectId, ownerId } = (site as Site).request;
        return [authorized(cause, { projectId, founderId: ownerId }, rightsOf[type] ?? 'sites:run')];
      },
    });
    if (this.isEager && !duplicate) await this.finish(type, siteId, operationId, cause.meta.owner);
    if (type === 'DestroySite') await this.releaseName(siteId, cause);
    return { resourceId: siteId, operationId, position };
  }

  private async releaseName(siteId: string, cause: Cause): Promise<void> {
    const { state: site } = await loadState(this.store, siteDecider, siteId);
    if (site.status !== 'DESTROYED') return;
    await handle(this.store, { ...cause, id: randomUUID() }, [on(nameDecider, `${site.request.ownerId}:site:${site.request.name}`, { type: 'ReleaseName', holderId: siteId })]);
  }

  private async finish(type: MessageType, siteId: string, operationId: string, owner: string): Promise<void> {
    const target = { address: '', port: 0, root: siteId };
    if (type === 'PublishRelease') await this.succeed(siteId, operationId, owner, 'publish-release', { type: 'FinishRelease', operationId, target });
    if (type === 'DestroySite') await this.succeed(siteId, operationId, owner, 'remove-site', { type: 'FinishDestroy', operationId });
    if (type === 'DiscardSiteData') await this.succeed(siteId, operationId, owner, 'discard-data', { type: 'FinishDiscard', operationId });
    if (type === 'SwitchSite') await this.succeed(siteId, operationId, owner, 'stop-site', { type: 'FinishSwitch', operationId });
  }
}

const usual: Quota = { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null };
const rightsOf: Partial<Record<MessageType, Right>> = { DestroySite: 'sites:delete', DiscardSiteData: 'sites:delete', PublishRelease: 'sites:deploy' };

function operationEvents(operationId: string, siteId: string, kind: string): MessageOf<MessageType>[] {
  const ids = { operationId, step: 'workload' };
  return [
    { type: 'OperationStarted', data: { operationId, kind, siteId, projectId: '', steps: ['workload'], input: '{"spec":{"app":{"env":{"SECRET":"planted-value"}}}}', backupId: '' } },
    { type: 'OperationStepStarted', data: ids },
    { type: 'OperationStepSucceeded', data: { ...ids, output: '{}' } },
    { type: 'OperationSucceeded', data: { operationId } },
  ];
}
