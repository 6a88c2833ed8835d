import { isLive, type SiteStatus } from './status.js';

/** What can be done with a site that is there. A repair makes anew what is missing of it, and leaves alone what is right. */
export const switchActions = ['start', 'stop', 'restart', 'repair'] as const;

export type SwitchAction = (typeof switchActions)[number];

export const isSwitchAction = (action: string): action is SwitchAction => (switchActions as readonly string[]).includes(action);

export type Power = 'running' | 'stopped';

/** Whether a site runs after an action: a repair leaves it as it was meant to be. */
export function powerAfter(action: string, before: Power): Power {
  if (action === 'repair') return before;
  return action === 'stop' ? 'stopped' : 'running';
}

/** Why an action on a whole project leaves one of its sites out; undefined when the site takes part. A failed one is repaired by provisioning it again. */
export function leftOutOf(action: SwitchAction, { status, power }: { readonly status: SiteStatus; readonly power: Power }): string | undefined {
  if (action === 'repair' && status === 'FAILED') return undefined;
  if (!isLive(status)) return `It is ${status}.`;
  if (action === 'start' && power === 'running') return 'It is started already.';
  if ((action === 'stop' || action === 'restart') && power === 'stopped') return 'It is stopped.';
  return undefined;
}

type SwitchWorkflow = `${SwitchAction}-site` | 'repair-wordpress' | 'repair-stopped-wordpress';

/** The workflow that starts, stops, restarts or repairs a kind of site that has this power now. */
export function switchWorkflow(action: string, siteKind: string, power: string): SwitchWorkflow {
  if (action !== 'repair' || siteKind !== 'wordpress') return `${action}-site` as SwitchWorkflow;
  return power === 'stopped' ? 'repair-stopped-wordpress' : 'repair-wordpress';
}
