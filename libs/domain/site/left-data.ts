import { Refusal } from '../refusal.js';
import { mustBeKept } from './data-status.js';
import { forgetPasswords } from './passwords.js';
import type { LeftDataCommand, Site, SiteEvent } from './site.js';

/** What a site answers to commands about the data that it left when it was destroyed. */
export function decideLeftData(command: LeftDataCommand, site: Site): readonly SiteEvent[] {
  const { siteId } = site.request;
  if (command.type === 'HandOverData') {
    if (site.data === 'taken' && site.heirId === command.heirId) return [];
    mustBeKept(site, 'taken over');
    return [{ type: 'SiteDataTakenOver', data: { siteId, heirId: command.heirId } }];
  }
  const ids = { siteId, operationId: command.operationId };
  if (command.type === 'DiscardData') {
    const { name } = site.request;
    if (command.name !== '' && command.name !== name) throw new Refusal('invalid', `The site ${siteId} was called "${name}", not "${command.name}": nothing was discarded. Look which one you mean.`, 'name');
    if (site.operation?.kind === 'discard') return [];
    if (site.data !== 'discarding') mustBeKept(site, 'discarded');
    return [{ type: 'SiteDataDiscardRequested', data: ids }];
  }
  if (site.operation?.kind !== 'discard' || site.operation.id !== command.operationId) return [];
  if (command.type === 'FinishDiscard') return [{ type: 'SiteDataDiscarded', data: ids }, ...forgetPasswords(site, site.dataId)];
  return [{ type: 'SiteDataDiscardFailed', data: { ...ids, step: command.step, error: command.error } }];
}
