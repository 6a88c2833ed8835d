import { streamId, type Cause } from '#contracts/message.js';
import type { Right } from '#domain/access/rights.js';
import { Refusal } from '#domain/refusal.js';
import { authorized, mustBeMember } from '#eventstore/authorized.js';
import type { EventStore } from '#eventstore/event-store.js';
import type { Part } from '#eventstore/handle.js';

/** Whether a project is there: requested, and not deleted. Answers who founded it. */
export async function founderOf(store: EventStore, projectId: string): Promise<string> {
  const life = await store.readStream(streamId('project', projectId));
  const founded = life.find((message) => message.type === 'ProjectRequested');
  if (founded?.type !== 'ProjectRequested' || life.some(({ type }) => type === 'ProjectDeleted')) throw new Refusal('not-found', 'There is no such project.', 'projectId');
  return founded.data.ownerId;
}

/**
 * Refuses whoever is no member of a project as the log has it now, or lacks the right: what the gateway found out is older. Answers the part that
 * holds the append to it: somebody who is removed in the same instant comes first or is refused.
 */
export async function asMember(store: EventStore, projectId: string, right: Right, cause: Cause): Promise<Part> {
  const within = { projectId, founderId: await founderOf(store, projectId) };
  await mustBeMember(store, cause, within, right);
  return authorized(cause, within, right);
}
