import { Controller } from '@nestjs/common';
import { streamId, type StoredMessage } from '#contracts/message.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { homeDecider, workloadDecider } from '#domain/answers.js';
import { adminPasswordKey, databasePasswordKey } from '#domain/naming/naming.js';
import { databaseOf, dataOf } from '#domain/operation/wordpress-steps.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import type { SiteRuntime, WorkloadSecrets } from '#providers/site-runtime.js';
import { confirmInstalled, installWordPress } from '#providers/wordpress-install.js';
import { answer } from './answer.js';
import { Runtimes } from './runtimes.js';
import { SiteDatabases } from './site-databases.js';
import { Vault } from './vault.js';

/** Makes what runs on this host as it should be. */
@Controller()
export class WorkloadCommands {
  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly vault: Vault,
    private readonly databases: SiteDatabases,
  ) {}

  /** No runtime is asked before a site needs it: one that is away is no matter of the others' sites. */
  @OnCommand('EnsureHome')
  async ensureHome(command: StoredMessage<'EnsureHome'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, hostId, turn } = command.data;
    const ids = { operationId, projectId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: homeDecider,
      key: projectId,
      act: () => Promise.resolve({ type: 'HomeReady', data: ids }),
      failed: (error) => ({ type: 'HomeFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('RemoveHome')
  async removeHome(command: StoredMessage<'RemoveHome'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, hostId, turn, runtimes } = command.data;
    const ids = { operationId, projectId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: homeDecider,
      key: projectId,
      act: async () => {
        const used = this.runtimes.all.filter(({ name }) => runtimes.includes(name) || runtimes.includes(''));
        for (const runtime of used) await runtime.removeHome(projectId, context.signal);
        return { type: 'HomeRemoved', data: ids };
      },
      failed: (error) => ({ type: 'HomeFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('EnsureWorkload')
  async ensure(command: StoredMessage<'EnsureWorkload'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, spec } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: workloadDecider,
      key: siteId,
      act: async () => {
        if (!spec) throw new ProviderError('The command holds no spec of the workload.', false);
        const runtime = this.runtimes.get(spec.runtime);
        const { wanted, secrets } = await this.opened(spec, runtime, command);
        if (wanted.kind === 'wordpress' && wanted.power === 'running' && !runtime.features.installs) await this.databases.wake(databaseOf(wanted), hostId, command, context.signal);
        const target = await runtime.ensure(wanted, context.signal, secrets);
        return { type: 'WorkloadReady', data: { ...ids, target, power: spec.power, runtime: spec.runtime } };
      },
      failed: (error) => ({ type: 'WorkloadFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('InstallWorkload')
  async install(command: StoredMessage<'InstallWorkload'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, spec, isRestored } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: workloadDecider,
      key: siteId,
      act: async () => {
        if (!spec) throw new ProviderError('The command holds no spec of the workload.', false);
        const runtime = this.runtimes.get(spec.runtime);
        if (runtime.features.installs) await confirmInstalled(runtime, spec, context.signal);
        else await installWordPress(runtime, spec, { adminPassword: await this.adminPassword(spec, command), isRestored }, context.signal);
        return { type: 'WorkloadInstalled', data: ids };
      },
      failed: (error) => ({ type: 'WorkloadFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('RemoveWorkload')
  async remove(command: StoredMessage<'RemoveWorkload'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, projectId, hostId, turn, runtime, keepData, dataId } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: workloadDecider,
      key: siteId,
      act: async () => {
        if (await this.mayExist(siteId, runtime)) await this.runtimes.get(runtime).remove({ siteId, projectId, dataId, keepData }, context.signal);
        return { type: 'WorkloadRemoved', data: ids };
      },
      failed: (error) => ({ type: 'WorkloadFailed', data: { ...ids, error } }),
    });
  }

  /** What the vault opens for a workload; and its spec with the versions of the secrets that it names, so that another value is another workload. */
  private async opened(spec: WorkloadSpec, { features }: SiteRuntime, command: StoredMessage): Promise<{ wanted: WorkloadSpec; secrets: WorkloadSecrets }> {
    const { projectId, app } = spec;
    const starts = spec.kind === 'wordpress' && spec.power === 'running';
    const key = starts ? databasePasswordKey(dataOf(spec)) : undefined;
    const adminKey = starts && features.installs ? adminPasswordKey(dataOf(spec)) : undefined;
    const named = app?.secretEnv ?? [];
    const names = [...new Set(named.map(({ secret }) => secret)), ...[key, adminKey].filter((one) => one !== undefined)];
    const { secrets, sealed, versions } = await this.vault.open({ projectId, names, sealed: app?.sealedEnv ?? [], purpose: 'workload' }, command);
    const env = { ...sealed, ...Object.fromEntries(named.map(({ name, secret }) => [name, secrets[secret]!])) };
    const wanted = app ? { ...spec, app: { ...app, secretEnv: named.map((one) => ({ ...one, version: versions[one.secret] ?? 0 })) } } : spec;
    return { wanted, secrets: { env, ...(key && { databasePassword: secrets[key]! }), ...(adminKey && { adminPassword: secrets[adminKey]! }) } };
  }

  private async adminPassword(spec: WorkloadSpec, command: StoredMessage): Promise<string> {
    const name = adminPasswordKey(dataOf(spec));
    const { secrets } = await this.vault.open({ projectId: spec.projectId, names: [name], purpose: 'install' }, command);
    return secrets[name]!;
  }

  /** On a host without the runtime there can only be something of the site when it once ran there. */
  private async mayExist(siteId: string, runtime: string): Promise<boolean> {
    if (this.runtimes.has(runtime)) return true;
    const answers = await this.store.readStream(streamId(workloadDecider.category, siteId));
    return answers.some(({ type }) => type === 'WorkloadReady');
  }
}
