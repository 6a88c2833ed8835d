import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { AddMember, ChangeMember, RemoveMember } from '#contracts/gen/hostplane/v1/member.js';
import type { Cause } from '#contracts/message.js';
import { membersDecider } from '#domain/access/members.js';
import { projectDecider } from '#domain/project/project.js';
import { Refusal } from '#domain/refusal.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';

/** Accepts or refuses what people ask of a project's members. */
@Controller()
export class MemberCommands {
  constructor(private readonly store: EventStore) {}

  @OnAsk('AddMember')
  async add({ projectId, memberId, role }: AddMember, cause: Cause): Promise<Accepted> {
    return this.change('AddMember', { projectId, memberId, role }, cause);
  }

  @OnAsk('ChangeMember')
  async changeRole({ projectId, memberId, role }: ChangeMember, cause: Cause): Promise<Accepted> {
    return this.change('ChangeMember', { projectId, memberId, role }, cause);
  }

  @OnAsk('RemoveMember')
  async remove({ projectId, memberId }: RemoveMember, cause: Cause): Promise<Accepted> {
    return this.change('RemoveMember', { projectId, memberId, role: '' }, cause);
  }

  private async change(type: 'AddMember' | 'ChangeMember' | 'RemoveMember', asked: ChangeMember, cause: Cause): Promise<Accepted> {
    const { state: project } = await loadState(this.store, projectDecider, asked.projectId);
    if (project.status === 'absent' || project.status === 'deleted') throw new Refusal('not-found', 'There is no such project.');
    const command = { ...asked, type, founderId: project.request.ownerId, by: cause.meta.member ?? '' };
    const { position } = await handle(this.store, cause, [on(membersDecider, asked.projectId, command)]);
    return { resourceId: asked.projectId, operationId: '', position };
  }
}
