import type { Cause } from '#contracts/message.js';
import { membersDecider } from '#domain/access/members.js';
import type { Right } from '#domain/access/rights.js';
import { on, type Part } from '#eventstore/handle.js';

/** The project that something belongs to, and who founded it: neither ever changes. */
export interface Within {
  readonly projectId: string;
  readonly founderId: string;
}

/**
 * A part for the append of what is asked: it adds nothing, and refuses the whole unless the member who asks has the right. The append holds only at
 * the version of the project's members that was read here, so whoever is removed meanwhile is refused.
 */
export function authorized(cause: Cause, { projectId, founderId }: Within, right: Right): Part {
  return on(membersDecider, projectId, { type: 'Authorize', projectId, founderId, by: cause.meta.member ?? '', right });
}
