import { Controller } from '@nestjs/common';
import type { Project, ProjectSwitched } from '#api/project.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { SwitchAction } from '#domain/site/switch.js';
import { wishToProto } from '#domain/project/quota.js';
import { accepted, Answer } from './answer.js';
import { ApiGatewayConfig } from './api-gateway.config.js';
import { asksForAll, isOperator } from './access.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { ProjectSwitch } from './project-switch.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';

@Controller()
export class ProjectsController {
  constructor(
    private readonly projects: ProjectQueries,
    private readonly switches: ProjectSwitch,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
    private readonly config: ApiGatewayConfig,
  ) {}

  @Serves('createProject')
  create(@Input() { body }: InputOf<Routes['createProject']>, @ByCall() call: Call): Promise<Answer> {
    const ids = { projectId: call.id('project'), operationId: call.id('operation') };
    return this.idempotency.once(call, async () => {
      await this.lifecycle.ask('CreateProject', { ...ids, ownerId: call.caller.owner, name: body.name, hostId: this.config.HOSTPLANE_HOST_ID }, call.cause);
      return this.accepted(call, ids.projectId, ids.operationId);
    });
  }

  @Serves('listProjects')
  list(@Input() { query }: InputOf<Routes['listProjects']>, @ByCall() call: Call): Promise<object> {
    return this.projects.page(asksForAll(call, query.all) ? undefined : call, query);
  }

  @Serves('showProject')
  show(@Input() { params }: InputOf<Routes['showProject']>, @ByCall() call: Call): Promise<object> {
    return this.projects.find(call, params.id);
  }

  @Serves('retryProject')
  retry(@Input() { params }: InputOf<Routes['retryProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.change('RetryProject', params.id, call);
  }

  @Serves('startProject')
  start(@Input() { params }: InputOf<Routes['startProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch('start', params.id, call);
  }

  @Serves('stopProject')
  stop(@Input() { params }: InputOf<Routes['stopProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch('stop', params.id, call);
  }

  @Serves('restartProject')
  restart(@Input() { params }: InputOf<Routes['restartProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch('restart', params.id, call);
  }

  @Serves('repairProject')
  repair(@Input() { params }: InputOf<Routes['repairProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch('repair', params.id, call);
  }

  @Serves('backUpProject')
  backUp(@Input() { params }: InputOf<Routes['backUpProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.each(params.id, call, (project) => this.switches.backUp(call, project));
  }

  @Serves('restoreProject')
  restore(@Input() { params, body }: InputOf<Routes['restoreProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.each(params.id, call, (project) => this.switches.restore(call, project, body?.until));
  }

  @Serves('deleteProject')
  remove(@Input() { params }: InputOf<Routes['deleteProject']>, @ByCall() call: Call): Promise<Answer> {
    return this.change('DeleteProject', params.id, call);
  }

  /** Who runs the plane may say what a project can have, member or not. */
  @Serves('setQuota')
  setQuota(@Input() { params, body }: InputOf<Routes['setQuota']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id, owner } = await this.projects.find(call, params.id);
      await this.lifecycle.ask('SetQuota', { projectId: id, quota: wishToProto(body), byOperator: isOperator(call.caller) }, call.causeFor(owner));
      return new Answer(200, await this.projects.find(call, id));
    });
  }

  private switch(action: SwitchAction, idOrName: string, call: Call): Promise<Answer> {
    return this.each(idOrName, call, (project) => this.switches.all(call, project, action));
  }

  private each(idOrName: string, call: Call, work: (project: Project) => Promise<ProjectSwitched>): Promise<Answer> {
    return this.idempotency.once(call, async () => new Answer(202, await work(await this.projects.find(call, idOrName))));
  }

  private change(type: 'RetryProject' | 'DeleteProject', idOrName: string, call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id, owner } = await this.projects.find(call, idOrName);
      const { operationId } = await this.lifecycle.ask(type, { projectId: id, operationId: call.id('operation') }, call.causeFor(owner));
      return this.accepted(call, id, operationId);
    });
  }

  private async accepted(call: Call, id: string, operationId: string): Promise<Answer> {
    return accepted({ ...(await this.projects.find(call, id)), operationId }, operationId);
  }
}
