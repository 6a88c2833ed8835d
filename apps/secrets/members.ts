import { streamId, type Cause } from '#contracts/message.js';
import type { MessageOf } from '#contracts/registry.js';
import { authorize, evolveMembers, nobodyYet, type MemberEventType } from '#domain/access/membership.js';
import type { Right } from '#domain/access/rights.js';
import { Refusal } from '#domain/refusal.js';
import type { EventStore } from '#eventstore/event-store.js';

/** Whether a project is there: requested, and not deleted. Answers who founded it. */
export async function founderOf(store: EventStore, projectId: string): Promise<string> {
  const life = await store.readStream(streamId('project', projectId));
  const founded = life.find((message) => message.type === 'ProjectRequested');
  if (founded?.type !== 'ProjectRequested' || life.some(({ type }) => type === 'ProjectDeleted')) throw new Refusal('not-found', 'There is no such project.', 'projectId');
  return founded.data.ownerId;
}

/**
 * Refuses whoever is no member of a project as the log has it now, or lacks the right: what the gateway found out is older. A secret's stream is
 * not the members', so somebody who is removed in the same instant may still be answered; whoever was removed before is not.
 */
export async function mustBeMember(store: EventStore, projectId: string, right: Right, cause: Cause): Promise<void> {
  const founderId = await founderOf(store, projectId);
  const history = await store.readStream(streamId('member', projectId));
  const members = history.reduce((state, message) => evolveMembers(state, message as MessageOf<MemberEventType>), nobodyYet);
  authorize({ projectId, founderId, by: cause.meta.member ?? '' }, members, right);
}
