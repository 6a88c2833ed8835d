import { streamId, type Cause } from '#contracts/message.js';
import { memberGuard } from '#domain/access/guard.js';
import { authorize } from '#domain/access/membership.js';
import type { Right } from '#domain/access/rights.js';
import { Refusal } from '#domain/refusal.js';
import { loadState, on, type Part, type StreamReader } from './handle.js';

/** The project that something belongs to, and who founded it: neither ever changes. */
export interface Within {
  readonly projectId: string;
  readonly founderId: string;
}

/**
 * A part for the append of what is asked: it adds nothing, and refuses the whole unless the member who asks has the right. The append holds only at
 * the version of the project's members that was read here, so whoever is removed meanwhile is refused.
 */
export function authorized(cause: Cause, within: Within, right: Right): Part {
  return on(memberGuard, within.projectId, { ...within, by: cause.meta.member ?? '', right });
}

/** Refuses whoever is no member of a project as the log has it now, or lacks the right: before something is done that is no append, or leads to one. */
export async function mustBeMember(log: StreamReader, cause: Cause, within: Within, right: Right): Promise<void> {
  const { state } = await loadState(log, memberGuard, within.projectId);
  authorize({ ...within, by: cause.meta.member ?? '' }, state, right);
}

/** The project of a site, as its first message has it. */
export async function projectOf(log: StreamReader, siteId: string): Promise<Within> {
  const requested = await log.readFirst(streamId('site', siteId));
  if (requested?.type !== 'SiteRequested') throw new Refusal('not-found', 'There is no such site.');
  return { projectId: requested.data.projectId, founderId: requested.data.ownerId };
}
