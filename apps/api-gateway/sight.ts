import type { Asker } from './access.js';
import type { TimelineEvent } from './shown-event.js';
import { ownAudience, type TimelineRow } from './timeline.projection.js';

/** Whose events somebody may see from one moment on; the events themselves, as they pass, say who joins or leaves a project. */
export class Sight {
  private readonly audiences: Set<string>;

  constructor(
    private readonly asker: Asker,
    projectIds: readonly string[],
  ) {
    const { owner, projects } = asker.caller;
    this.audiences = new Set(projects ? projectIds : [...projectIds, ownAudience(owner)]);
  }

  /** Whether this row may be seen, now that every row before it has been asked for. */
  passes(row: TimelineEvent): boolean {
    if (isAboutMembers(row)) this.follow(row);
    return this.audiences.has(row.audience);
  }

  private follow({ type, data }: TimelineEvent): void {
    const { projectId = '', memberId, ownerId } = JSON.parse(data) as { projectId?: string; memberId?: string; ownerId?: string };
    const { owner, projects } = this.asker.caller;
    if ((memberId ?? ownerId) !== owner || (projects && !projects.includes(projectId))) return;
    if (type === 'MemberRemoved') this.audiences.delete(projectId);
    else this.audiences.add(projectId);
  }
}

/** Whether a row may change what somebody sees. */
export const isAboutMembers = ({ type }: Pick<TimelineRow, 'type'>): boolean => type === 'MemberAdded' || type === 'MemberRemoved' || type === 'ProjectRequested';
