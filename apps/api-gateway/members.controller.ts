import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { Answer } from './answer.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { MemberQueries } from './members.queries.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';

@Controller()
export class MembersController {
  constructor(
    private readonly projects: ProjectQueries,
    private readonly members: MemberQueries,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('listMembers')
  async list(@Input() { params, query }: InputOf<Routes['listMembers']>, @ByCall() call: Call): Promise<object> {
    const { id } = await this.projects.find(call, params.id);
    return this.members.page(id, query);
  }

  @Serves('addMember')
  add(@Input() { params, body }: InputOf<Routes['addMember']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: projectId, owner } = await this.projects.find(call, params.id);
      await this.lifecycle.ask('AddMember', { projectId, memberId: body.member, role: body.role }, call.causeFor(owner));
      return new Answer(201, await this.members.find(projectId, body.member));
    });
  }

  @Serves('changeMember')
  change(@Input() { params, body }: InputOf<Routes['changeMember']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: projectId, owner } = await this.projects.find(call, params.id);
      await this.members.find(projectId, params.member);
      await this.lifecycle.ask('ChangeMember', { projectId, memberId: params.member, role: body.role }, call.causeFor(owner));
      return new Answer(200, await this.members.find(projectId, params.member));
    });
  }

  /** Whoever may see a project may leave it. */
  @Serves('removeMember')
  remove(@Input() { params }: InputOf<Routes['removeMember']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const isLeaving = params.member === call.caller.owner;
      const { id: projectId, owner } = await this.projects.find(isLeaving ? { caller: call.caller, right: 'projects:read' } : call, params.id);
      const member = await this.members.find(projectId, params.member);
      await this.lifecycle.ask('RemoveMember', { projectId, memberId: params.member }, call.causeFor(owner));
      return new Answer(200, member);
    });
  }
}
