import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { CreateProject, DeleteProject, RetryProject, SetQuota } from '#contracts/gen/hostplane/v1/project.js';
import type { Cause } from '#contracts/message.js';
import type { Right } from '#domain/access/rights.js';
import { nameDecider } from '#domain/naming/claim.js';
import { POOL_KEY, poolDecider, type PoolState } from '#domain/network/pool.js';
import { wishOf } from '#domain/project/quota.js';
import { projectDecider, type Project, type ProjectCommand, type ProjectState } from '#domain/project/project.js';
import { authorized } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { projectNameKey } from './claims.js';
import { LifecycleConfig } from './lifecycle.config.js';

/** Prefix length of a project's network: room for 253 containers. */
const PROJECT_PREFIX = 24;

/** Accepts or refuses what people ask of projects. */
@Controller()
export class ProjectCommands {
  constructor(
    private readonly store: EventStore,
    private readonly config: LifecycleConfig,
  ) {}

  @OnAsk('CreateProject')
  async create(ask: CreateProject, cause: Cause): Promise<Accepted> {
    const { projectId, operationId, ownerId, name } = ask;
    const lease = { type: 'LeaseSubnet', projectId, pool: this.config.HOSTPLANE_NETWORK_POOL, prefix: PROJECT_PREFIX } as const;
    const { position } = await handle(this.store, cause, [on(poolDecider, POOL_KEY, lease)], {
      then: ([pool]) => {
        const project = { projectId, operationId, ownerId, name, hostId: ask.hostId || this.config.HOSTPLANE_HOST_ID, subnet: (pool as PoolState).get(projectId) ?? '' };
        return [
          on(projectDecider, projectId, { type: 'RequestProject', project }),
          on(nameDecider, projectNameKey(ownerId, name), { type: 'ClaimName', name, holderId: projectId }),
        ];
      },
    });
    return { resourceId: projectId, operationId, position };
  }

  @OnAsk('RetryProject')
  async retry(ask: RetryProject, cause: Cause): Promise<Accepted> {
    return this.change(ask.projectId, { type: 'RetryProject', operationId: ask.operationId }, { cause, right: 'projects:run' });
  }

  @OnAsk('DeleteProject')
  async delete(ask: DeleteProject, cause: Cause): Promise<Accepted> {
    return this.change(ask.projectId, { type: 'DeleteProject', operationId: ask.operationId }, { cause, right: 'projects:delete' });
  }

  @OnAsk('SetQuota')
  async setQuota({ projectId, quota, byOperator }: SetQuota, cause: Cause): Promise<Accepted> {
    const { position } = await handle(this.store, cause, [on(projectDecider, projectId, { type: 'SetQuota', quota: wishOf(quota) })], {
      then: ([project]) => (byOperator ? [] : [authorized(cause, { projectId, founderId: (project as Project).request.ownerId }, 'quota:write')]),
    });
    return { resourceId: projectId, operationId: '', position };
  }

  private async change(projectId: string, command: ProjectCommand & { operationId: string }, { cause, right }: { cause: Cause; right: Right }): Promise<Accepted> {
    const { position, states } = await handle(this.store, cause, [on(projectDecider, projectId, command)], {
      then: ([project]) => [authorized(cause, { projectId, founderId: (project as Project).request.ownerId }, right)],
    });
    const project = states[0] as ProjectState;
    const running = project.status === 'absent' ? undefined : project.operationId;
    return { resourceId: projectId, operationId: running ?? command.operationId, position };
  }
}
