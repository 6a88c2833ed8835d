import { Refusal } from '../refusal.js';
import type { Project, ProjectEvent } from './project.js';

/** The ids of the data that destroyed sites left, until another site goes on with it or it is discarded. */
export function evolveKept(kept: ReadonlySet<string>, event: ProjectEvent): ReadonlySet<string> {
  switch (event.type) {
    case 'SiteReleased':
      return event.data.keptDataId ? new Set([...kept, event.data.keptDataId]) : kept;
    case 'SiteAdmitted':
    case 'DataFreed':
      return without(kept, event.data.dataId);
    default:
      return kept;
  }
}

/** Refuses to delete a project with which somebody's data would go, or be left where nobody finds it. */
export function mustBeEmpty({ request, sites, kept }: Project): void {
  if (sites.size > 0) throw new Refusal('conflict', `The project "${request.name}" still has ${sites.size} site(s). Delete them first.`);
  if (kept.size === 0) return;
  throw new Refusal('conflict', `The project "${request.name}" still has the data of ${kept.size} destroyed site(s), which was to be kept. Discard it first: the list of sites says whose it is.`);
}

function without(kept: ReadonlySet<string>, dataId: string | undefined): ReadonlySet<string> {
  return dataId && kept.has(dataId) ? new Set([...kept].filter((one) => one !== dataId)) : kept;
}
