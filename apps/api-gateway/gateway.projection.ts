import type { StoredMessage } from '#contracts/message.js';
import type { ProjectionDefinition, ProjectionTx, TableDefinition } from '#eventstore/projection.js';
import { backupsTable } from './backups.projection.js';
import { certificatesTable } from './certificates.projection.js';
import { domainsTable } from './domains.projection.js';
import { edgeRulesTable } from './edge-rules.projection.js';
import { foldBatch, type KeyedTable, type KeyedRow } from './keyed-table.js';
import { membersTable } from './members.projection.js';
import { operationsTable, type OperationRow } from './operations.projection.js';
import { projectsTable } from './projects.projection.js';
import { secretsTable } from './secrets.projection.js';
import { sitesTable, type SiteRow } from './sites.projection.js';
import { aboutOf, timelineRow, timelineTable, type TimelineRow } from './timeline.projection.js';
import { tokensTable } from './tokens.projection.js';

/** Each folded from its own messages; operations last, for they look at the sites of the same batch. */
const folded = [projectsTable, membersTable, sitesTable, backupsTable, domainsTable, certificatesTable, edgeRulesTable, tokensTable, secretsTable, operationsTable] as readonly KeyedTable<KeyedRow>[];

/** Everything that the gateway shows, at one position, so that an answer never mixes two moments. */
export const gatewayProjection: ProjectionDefinition = {
  name: 'gateway',
  version: 18,
  tables: [...(folded as readonly TableDefinition[]), timelineTable],
  async apply(batch, tx) {
    const read = await Promise.all(folded.map((table) => readFor(table, batch, tx)));
    for (const { table, keys, before } of read) {
      const changed = [...foldBatch(table, before, batch, keys).values()];
      await tx.put(table.table, table.table === operationsTable.table ? await withProject(changed as unknown as readonly OperationRow[], tx) : changed);
    }
    await tx.put(timelineTable.table, await timelineRows(batch, tx));
  },
};

/** The rows that a batch is about, as they were before it. */
async function readFor(table: KeyedTable<KeyedRow>, batch: readonly StoredMessage[], tx: ProjectionTx): Promise<{ table: KeyedTable<KeyedRow>; keys: (string | undefined)[]; before: Map<string, KeyedRow> }> {
  const keys = batch.map((message) => table.keyOf(message));
  return { table, keys, before: (await tx.rows(table.table, distinct(keys))) as Map<string, KeyedRow> };
}

/** The wish for an operation names its site alone; which project a site is of never changes. */
async function withProject(rows: readonly OperationRow[], tx: ProjectionTx): Promise<readonly OperationRow[]> {
  const sites = await tx.rows<SiteRow>(sitesTable.table, [...new Set(rows.flatMap((row) => (row.project_id === null && row.site_id !== null ? [row.site_id] : [])))]);
  return rows.map((row) => (row.project_id === null ? { ...row, project_id: sites.get(row.site_id ?? '')?.project_id ?? null } : row));
}

/**
 * Only what never changes is taken from the other tables (which site an operation is of, which project a site is of): a rebuild folds
 * larger batches than those that came live, and must give the same rows.
 */
async function timelineRows(batch: readonly StoredMessage[], tx: ProjectionTx): Promise<TimelineRow[]> {
  const events = batch.filter(({ kind }) => kind === 'event').map((event) => ({ event, own: aboutOf(event) }));
  const operations = await tx.rows<OperationRow>(operationsTable.table, distinct(events.map(({ own }) => (own.siteId === undefined ? own.operationId : undefined))));
  const about = events.map(({ event, own }) => {
    const operation = operations.get(own.operationId ?? '');
    return { event, own, operation, siteId: own.siteId ?? operation?.site_id ?? undefined };
  });
  const sites = await tx.rows<SiteRow>(sitesTable.table, distinct(about.map(({ siteId }) => siteId)));
  return about.map(({ event, own, operation, siteId }) => {
    const projectId = own.projectId ?? (siteId === undefined ? operation : sites.get(siteId))?.project_id ?? undefined;
    return timelineRow(event, { siteId, projectId, operationId: own.operationId });
  });
}

function distinct(ids: readonly (string | undefined)[]): string[] {
  return [...new Set(ids)].filter((id) => id !== undefined);
}
