import { Controller } from '@nestjs/common';
import { streamId, type StoredMessage } from '#contracts/message.js';
import { homeDecider, workloadDecider } from '#domain/answers.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
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
        const { sealed: env } = await this.vault.open({ projectId: spec.projectId, sealed: spec.app?.sealedEnv ?? [], purpose: 'workload' }, command);
        const target = await runtime.ensure(spec, context.signal, { env });
        return { type: 'WorkloadReady', data: { ...ids, target, power: spec.power } };
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

  /** On a host without the runtime there can only be something of the site when it once ran there. */
  private async mayExist(siteId: string, runtime: string): Promise<boolean> {
    if (this.runtimes.has(runtime)) return true;
    const answers = await this.store.readStream(streamId(workloadDecider.category, siteId));
    return answers.some(({ type }) => type === 'WorkloadReady');
  }
}
