import type { ApiClient } from '#api/client.js';
import type { Site } from '#api/site.js';
import { allPages, type Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { renderTime } from './table.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Far more than anybody keeps under one name. */
const SAME_NAME = 50;

/** Destroyed sites whose data is there, with the ids that restore and discard-data are told. */
export async function listKeptData({ client, terminal }: Session, query: { projectId: string | undefined; kind: Site['kind'] | undefined }, limit: number): Promise<void> {
  const items = await allPages(limit, async (cursor, most) => (await client.call('listSites', { query: { ...query, leftData: 'true', cursor, limit: most } })).body);
  const rows = items.map((one) => [one.name, one.kind, one.leftData ?? '', renderTime(one.updatedAt), one.id]);
  terminal.table({ items }, ['NAME', 'KIND', 'DATA', 'SINCE (UTC)', 'ID'], rows, 'No destroyed site left its data.');
}

export async function discardData(session: Session, named: string): Promise<void> {
  const id = await leftUnder(session.client, named);
  const { body } = await session.client.call('discardSiteData', { params: { id } });
  const operation = await session.settle(body.operationId);
  session.terminal.fields(operation ?? body, { [operation ? 'Discarded' : 'Discarding']: `the data of ${body.name}`, Id: body.id });
}

/** The id of the one destroyed site of this name that left data. With none, what the plane says of the name itself is told. */
async function leftUnder(client: ApiClient, named: string): Promise<string> {
  if (UUID.test(named)) return named;
  const { items } = (await client.call('listSites', { query: { name: named, leftData: 'true', limit: SAME_NAME } })).body;
  if (items.length > 1) throw new UsageError(`Several destroyed sites were called "${named}". Say which by its id: ${items.map(({ id }) => id).join(', ')}.`);
  return items[0]?.id ?? named;
}
