import type { CreateSite, SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { dataDecider } from '#domain/naming/claim.js';
import { Refusal } from '#domain/refusal.js';
import { leavesData, mustBeKept } from '#domain/site/data-status.js';
import { siteDecider, type Site } from '#domain/site/site.js';
import { loadState, on, type Part, type StreamReader } from '#eventstore/handle.js';
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
  if (old.heirId !== wish.siteId) mustBeKept(old, 'taken over');
  if (old.request.kind === 'static') return refuse('A static site holds nothing but its content: publish that on a new one.');
  if (old.request.kind !== wish.kind) return refuse(`The site was of the kind ${old.request.kind}: another kind cannot use its data.`);
  const dataId = old.dataId || old.request.siteId;
  await mustBeFree(store, dataId, wish.siteId, 'restoreFrom');
  const wordpress = old.request.wordpress && { ...old.request.wordpress, phpVersion: wish.wordpress?.phpVersion || old.request.wordpress.phpVersion };
  const hasOwn = wish.app && wish.app.sealedEnv.length + wish.app.secretEnv.length > 0;
  const app = wish.app && { ...wish.app, ...(!hasOwn && { sealedEnv: old.request.app?.sealedEnv ?? [], secretEnv: old.request.app?.secretEnv ?? [] }) };
  return { dataId, runtime: old.request.runtime, wordpress, app };
}

/** Keeps everybody else from the data that a site takes over from the destroyed one `restoreFrom`. */
export function takeOver({ siteId, dataId }: Pick<SiteRequested, 'siteId' | 'dataId'>, restoreFrom: string): readonly Part[] {
  if (restoreFrom === '') return [];
  return [on(siteDecider, restoreFrom, { type: 'HandOverData', heirId: siteId }), on(dataDecider, dataKey(dataId), { type: 'ClaimName', name: dataId, holderId: siteId })];
}

/** Keeps everybody from the data that a destroyed site left, for good. */
export async function withhold(log: StreamReader, site: Site): Promise<readonly Part[]> {
  const { siteId } = site.request;
  const dataId = site.dataId || siteId;
  await mustBeFree(log, dataId, siteId);
  return [on(dataDecider, dataKey(dataId), { type: 'ClaimName', name: dataId, holderId: siteId })];
}

/** Leaves data that stays to whoever takes it over next; data that is gone, or gave way to a backup's, is left to nobody. */
export function leave(site: Site): readonly Part[] {
  const { siteId, dataId } = site.request;
  return dataId && dataId === site.dataId && leavesData(site) ? [on(dataDecider, dataKey(dataId), { type: 'ReleaseName', holderId: siteId })] : [];
}

/** Data that was left before it was recorded who went on with it is nobody's only if nobody claims it. */
async function mustBeFree(log: StreamReader, dataId: string, siteId: string, field?: string): Promise<void> {
  const { state: claim } = await loadState(log, dataDecider, dataKey(dataId));
  if (claim.status === 'held' && claim.holderId !== siteId) throw new Refusal('conflict', 'The data of the site was taken over by another one already.', field);
}
