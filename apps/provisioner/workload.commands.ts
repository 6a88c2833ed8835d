import { Controller } from '@nestjs/common';
import { streamId, type StoredMessage } from '#contracts/message.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { homeDecider, workloadDecider } from '#domain/answers.js';
import { adminPasswordKey, databasePasswordKey } from '#domain/naming/naming.js';
import { dataOf } from '#domain/operation/wordpress-steps.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import type { WorkloadSecrets } from '#providers/site-runtime.js';
import { installWordPress } from '#providers/wordpress-install.js';
import { answer } from './answer.js';
import { Runtimes } from './runtimes.js';
import { Vault } from './vault.js';

/** Makes what runs on this host as it should be. */
@Controller()
export class WorkloadCommands {
  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly vault: Vault,
  ) {}

  @OnCommand('EnsureHome')
  async ensureHome(command: StoredMessage<'EnsureHome'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, hostId, subnet, turn } = command.data;
    const ids = { operationId, projectId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: homeDecider,
      key: projectId,
      act: async () => {
        for (const runtime of this.runtimes.all) await runtime.ensureHome({ projectId, subnet }, context.signal);
        return { type: 'HomeReady', data: ids };
      },
      failed: (error) => ({ type: 'HomeFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('RemoveHome')
  async removeHome(command: StoredMessage<'RemoveHome'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, hostId, turn } = command.data;
    const ids = { operationId, projectId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: homeDecider,
      key: projectId,
      act: async () => {
        for (const runtime of this.runtimes.all) await runtime.removeHome(projectId, context.signal);
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
        const target = await runtime.ensure(spec, context.signal, await this.secretsOf(spec, command));
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
        const name = adminPasswordKey(dataOf(spec));
        const { secrets } = await this.vault.open({ projectId: spec.projectId, names: [name], purpose: 'install' }, command);
        await installWordPress(this.runtimes.get(spec.runtime), spec, { adminPassword: secrets[name]!, isRestored }, context.signal);
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

  /** What the vault opens for a workload that is to run. */
  private async secretsOf(spec: WorkloadSpec, command: StoredMessage): Promise<WorkloadSecrets> {
    const key = databasePasswordKey(dataOf(spec));
    const names = spec.kind === 'wordpress' && spec.power === 'running' ? [key] : [];
    const { secrets, sealed: env } = await this.vault.open({ projectId: spec.projectId, names, sealed: spec.app?.sealedEnv ?? [], purpose: 'workload' }, command);
    return { env, ...(names.length > 0 && { databasePassword: secrets[key]! }) };
  }

  /** On a host without the runtime there can only be something of the site when it once ran there. */
  private async mayExist(siteId: string, runtime: string): Promise<boolean> {
    if (this.runtimes.has(runtime)) return true;
    const answers = await this.store.readStream(streamId(workloadDecider.category, siteId));
    return answers.some(({ type }) => type === 'WorkloadReady');
  }
}
