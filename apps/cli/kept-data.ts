import type { ApiClient } from '#api/client.js';
import type { Site } from '#api/site.js';
import { allPages, type Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { renderBytes, renderTime } from './table.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Far more than anybody keeps under one name. */
const SAME_NAME = 50;

/** What can be done with the data that a destroyed site left. */
export const waysWithData = ({ id, name }: Pick<Site, 'id' | 'name'>): string => `hostplane site restore ${id} <name>, or ${discardOf({ id, name })}`;
export const discardOf = ({ id, name }: Pick<Site, 'id' | 'name'>): string => `hostplane site discard-data ${id} --confirm ${name}`;

/** Destroyed sites whose data is there, how much of it, and the ids that restore and discard-data are told. */
export async function listKeptData({ client, terminal }: Session, query: { projectId: string | undefined; kind: Site['kind'] | undefined }, limit: number): Promise<void> {
  const sites = await allPages(limit, async (cursor, most) => (await client.call('listSites', { query: { ...query, leftData: 'true', cursor, limit: most } })).body);
  const bytesOf = await measured(client, sites);
  const items = sites.map((one) => ({ ...one, keptBytes: bytesOf(one) }));
  const rows = items.map((one) => [one.name, one.kind, one.leftData ?? '', one.keptBytes === undefined ? 'unknown' : renderBytes(one.keptBytes), renderTime(one.updatedAt), one.id]);
  terminal.table({ items }, ['NAME', 'KIND', 'DATA', 'SIZE', 'SINCE (UTC)', 'ID'], rows, 'No destroyed site left its data.');
}

export async function discardData(session: Session, named: string, { confirm }: { confirm?: string }): Promise<void> {
  const left = await leftUnder(session.client, named);
  if (UUID.test(named) && confirm === undefined) throw new UsageError('What goes cannot be brought back: say what the site was called, with --confirm <name>.');
  const { body } = await session.client.call('discardSiteData', { params: { id: left }, query: { name: confirm } });
  const operation = await session.settle(body.operationId);
  session.terminal.fields(operation ?? body, { [operation ? 'Discarded' : 'Discarding']: `the data of ${body.name}`, Id: body.id });
}

/** The id of the one destroyed site of this name that left data. With none, what the plane says of the name itself is told. */
export async function leftUnder(client: ApiClient, named: string): Promise<string> {
  if (UUID.test(named)) return named;
  const { items } = (await client.call('listSites', { query: { name: named, leftData: 'true', limit: SAME_NAME } })).body;
  if (items.length > 1) throw new UsageError(`Several destroyed sites were called "${named}". Say which by its id: ${items.map(({ id }) => id).join(', ')}.`);
  return items[0]?.id ?? named;
}

/** Only the host of a project knows how much there is; it may be away, and there is a list all the same. */
async function measured(client: ApiClient, sites: readonly Site[]): Promise<(site: Site) => number | undefined> {
  const projects = [...new Set(sites.map(({ projectId }) => projectId))];
  const answers = await Promise.allSettled(projects.map((id) => client.call('listProjectVolumes', { params: { id } }, { retries: 0 })));
  const volumes = new Map(answers.flatMap((answer, n) => (answer.status === 'fulfilled' ? [[projects[n], answer.value.body.items] as const] : [])));
  return ({ id, projectId }) => volumes.get(projectId)?.filter(({ leftBy }) => leftBy === id).reduce((sum, { bytes }) => sum + bytes, 0);
}
