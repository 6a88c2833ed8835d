import { Refusal } from '../refusal.js';
import type { Site } from './site.js';

/**
 * What becomes of a site's data. held: the site has it, or is to have it. kept: it stayed when the site was destroyed. taken: another site goes on with
 * it. discarding: it is to go, and a part may be gone already. gone: nothing of it is left.
 */
export const dataStatuses = ['held', 'kept', 'taken', 'discarding', 'gone'] as const;

export type DataStatus = (typeof dataStatuses)[number];

/** The one table of allowed transitions. A discard that does not succeed stays `discarding`, and can be asked for again. */
export const dataTransitions: Readonly<Record<DataStatus, readonly DataStatus[]>> = {
  held: ['kept', 'gone'],
  kept: ['taken', 'discarding'],
  taken: [],
  discarding: ['gone'],
  gone: [],
};

export const canDataMove = (from: DataStatus, to: DataStatus): boolean => dataTransitions[from].includes(to);

/** Whether something stays when the site is destroyed: of one that was never live, only what it had taken over. */
export function leavesData({ keepsData, wasActive, request }: Pick<Site, 'keepsData' | 'wasActive' | 'request'>): boolean {
  return keepsData && (wasActive || request.dataId !== '');
}

/** Refuses what needs the data that a destroyed site left, with what became of it. */
export function mustBeKept(site: Site, verb: 'taken over' | 'discarded'): void {
  if (site.data === 'kept') return;
  throw new Refusal('conflict', whyNot(site, verb), verb === 'taken over' ? 'restoreFrom' : undefined);
}

function whyNot({ status, data, heirId = '' }: Site, verb: string): string {
  switch (data) {
    case 'held':
      return `The site is ${status}: only the data of one that was destroyed can be ${verb}.`;
    case 'taken':
      return `The data of the site was taken over by another one already, ${heirId}: it stays or goes with that.`;
    case 'discarding':
      return 'The data of the site is being discarded, and a part of it may be gone.';
    default:
      return 'The data of the site is gone: it went with it, or was discarded.';
  }
}
