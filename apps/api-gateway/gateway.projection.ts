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

/** Everything that the gateway shows, at one position, so that an answer never mixes two moments. */
export const gatewayProjection: ProjectionDefinition = {
  name: 'gateway',
  version: 13,
  tables: [projectsTable, membersTable, sitesTable, backupsTable, domainsTable, certificatesTable, edgeRulesTable, operationsTable, tokensTable, secretsTable, timelineTable] as readonly TableDefinition[],
  async apply(batch, tx) {
    await Promise.all([projectsTable, membersTable, sitesTable, backupsTable, domainsTable, certificatesTable, edgeRulesTable, tokensTable, secretsTable].map((table) => foldInto(table as KeyedTable<KeyedRow>, batch, tx)));
    await foldInto(operationsTable, batch, tx, withProject);
    await tx.put(timelineTable.table, await timelineRows(batch, tx));
  },
};

type Completion<R> = (rows: readonly R[], tx: ProjectionTx) => Promise<readonly R[]>;

async function foldInto<R extends KeyedRow>(table: KeyedTable<R>, batch: readonly StoredMessage[], tx: ProjectionTx, complete?: Completion<R>): Promise<void> {
  const keys = batch.map((message) => table.keyOf(message));
  const before = (await tx.rows<R>(table.table, distinct(keys))) as Map<string, R>;
  const changed = [...foldBatch(table, before, batch, keys).values()];
  await tx.put(table.table, complete ? await complete(changed, tx) : changed);
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
