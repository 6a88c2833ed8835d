import type { CreateSite, SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { nameDecider } from '#domain/naming/claim.js';
import { Refusal } from '#domain/refusal.js';
import { siteDecider } from '#domain/site/site.js';
import { loadState, on, type Part } from '#eventstore/handle.js';
import type { EventStore } from '#eventstore/event-store.js';

/** Key of the stream that says which site has the data that another one left behind; only one can. */
const dataKey = (dataId: string): string => `data:${dataId}`;

type Inherited = Pick<SiteRequested, 'dataId' | 'runtime' | 'wordpress' | 'app'>;

/**
 * What a new site gets of the destroyed one whose data it takes over: whose data it is, where it is, and the settings that go with it. WordPress' people,
 * title and database server are in the data already; only its PHP can be another. An app has its old environment, unless a new one is given.
 */
export async function inheritance(store: EventStore, wish: CreateSite): Promise<Inherited> {
  const refuse = (why: string): never => {
    throw new Refusal('conflict', why, 'restoreFrom');
  };
  if (!wish.restoreFrom) return { dataId: '', runtime: '', wordpress: wish.wordpress, app: wish.app };
  const { state: old } = await loadState(store, siteDecider, wish.restoreFrom);
  if (old.status === 'ABSENT' || old.request.projectId !== wish.projectId) throw new Refusal('not-found', `There is no site "${wish.restoreFrom}" in the project.`, 'restoreFrom');
  if (old.status !== 'DESTROYED') return refuse(`The site is ${old.status}: only the data of one that was destroyed can be taken over.`);
  if (!old.keepsData || old.request.kind === 'static') return refuse('The data of the site went with it.');
  if (old.request.kind !== wish.kind) return refuse(`The site was of the kind ${old.request.kind}: another kind cannot use its data.`);
  const dataId = old.dataId || old.request.siteId;
  const { state: claim } = await loadState(store, nameDecider, dataKey(dataId));
  if (claim.status === 'held' && claim.holderId !== wish.siteId) return refuse('The data of the site was taken over by another one already.');
  const wordpress = old.request.wordpress && { ...old.request.wordpress, phpVersion: wish.wordpress?.phpVersion || old.request.wordpress.phpVersion };
  const hasOwn = wish.app && wish.app.sealedEnv.length + wish.app.secretEnv.length > 0;
  const app = wish.app && { ...wish.app, ...(!hasOwn && { sealedEnv: old.request.app?.sealedEnv ?? [], secretEnv: old.request.app?.secretEnv ?? [] }) };
  return { dataId, runtime: old.request.runtime, wordpress, app };
}

/** Keeps everybody else from the data that a site takes over. */
export function takeOver({ siteId, dataId }: Pick<SiteRequested, 'siteId' | 'dataId'>): readonly Part[] {
  return dataId ? [on(nameDecider, dataKey(dataId), { type: 'ClaimName', name: dataId, holderId: siteId })] : [];
}

/** Leaves data that stays to whoever takes it over next; data that is gone is left to nobody. */
export function leave({ siteId, dataId }: Pick<SiteRequested, 'siteId' | 'dataId'>, keepsData: boolean): readonly Part[] {
  return dataId && keepsData ? [on(nameDecider, dataKey(dataId), { type: 'ReleaseName', holderId: siteId })] : [];
}
