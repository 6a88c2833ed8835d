import type { StoredMessage } from '#contracts/message.js';
import type { ProjectionDefinition, ProjectionTx, TableDefinition } from '#eventstore/projection.js';
import { foldBatch, type KeyedTable, type KeyedRow } from './keyed-table.js';
import { operationsTable, type OperationRow } from './operations.projection.js';
import { projectsTable } from './projects.projection.js';
import { sitesTable, type SiteRow } from './sites.projection.js';
import { aboutOf, timelineRow, timelineTable, type TimelineRow } from './timeline.projection.js';
import { tokensTable } from './tokens.projection.js';

/** Everything that the gateway shows, at one position, so that an answer never mixes two moments. */
export const gatewayProjection: ProjectionDefinition = {
  name: 'gateway',
  version: 3,
  tables: [projectsTable, sitesTable, operationsTable, tokensTable, timelineTable] as readonly TableDefinition[],
  async apply(batch, tx) {
    for (const table of [projectsTable, sitesTable, tokensTable, operationsTable]) await foldInto(table as KeyedTable<KeyedRow>, batch, tx);
    await tx.put(timelineTable.table, await timelineRows(batch, tx));
  },
};

async function foldInto<R extends KeyedRow>(table: KeyedTable<R>, batch: readonly StoredMessage[], tx: ProjectionTx): Promise<void> {
  const keys = [...new Set(batch.flatMap((message) => table.keyOf(message) ?? []))];
  const before = (await tx.rows<R>(table.table, keys)) as Map<string, R>;
  await tx.put(table.table, [...foldBatch(table, before, batch).values()]);
}

/**
 * Only what never changes is taken from the other tables (which site an operation is of, which project a site is of): a rebuild folds
 * larger batches than those that came live, and must give the same rows.
 */
async function timelineRows(batch: readonly StoredMessage[], tx: ProjectionTx): Promise<TimelineRow[]> {
  const events = batch.filter(({ kind }) => kind === 'event');
  const operations = await tx.rows<OperationRow>(operationsTable.table, [...new Set(events.flatMap((event) => aboutOf(event).operationId ?? []))]);
  const siteOf = (event: StoredMessage): string | undefined => aboutOf(event).siteId ?? operations.get(aboutOf(event).operationId ?? '')?.site_id ?? undefined;
  const sites = await tx.rows<SiteRow>(sitesTable.table, [...new Set(events.flatMap((event) => siteOf(event) ?? []))]);
  return events.map((event) => {
    const siteId = siteOf(event);
    const projectId = aboutOf(event).projectId ?? (siteId === undefined ? operations.get(aboutOf(event).operationId ?? '') : sites.get(siteId))?.project_id;
    return timelineRow(event, { siteId, projectId: projectId ?? undefined });
  });
}
