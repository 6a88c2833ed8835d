import type { StoredMessage } from '#contracts/message.js';
import type { ProjectionDefinition, ProjectionTx, TableDefinition } from '#eventstore/projection.js';
import { foldBatch, type KeyedTable, type KeyedRow } from './keyed-table.js';
import { operationsTable, type OperationRow } from './operations.projection.js';
import { projectsTable } from './projects.projection.js';
import { sitesTable } from './sites.projection.js';
import { timelineRow, timelineTable } from './timeline.projection.js';
import { tokensTable } from './tokens.projection.js';

/** Everything that the gateway shows, at one position, so that an answer never mixes two moments. */
export const gatewayProjection: ProjectionDefinition = {
  name: 'gateway',
  version: 1,
  tables: [projectsTable, sitesTable, operationsTable, tokensTable, timelineTable] as readonly TableDefinition[],
  async apply(batch, tx) {
    await foldInto(projectsTable, batch, tx);
    await foldInto(sitesTable, batch, tx);
    await foldInto(tokensTable, batch, tx);
    const operations = await foldInto(operationsTable, batch, tx);
    const of = (id: string): OperationRow | undefined => operations.get(id);
    await tx.put(timelineTable.table, batch.flatMap((message) => timelineRow(message, of) ?? []));
  },
};

/** Answers the rows that the batch is about, each in its last state. */
async function foldInto<R extends KeyedRow>(table: KeyedTable<R>, batch: readonly StoredMessage[], tx: ProjectionTx): Promise<Map<string, R>> {
  const keys = [...new Set(batch.flatMap((message) => table.keyOf(message) ?? []))];
  const before = (await tx.rows<R>(table.table, keys)) as Map<string, R>;
  const changed = foldBatch(table, before, batch);
  await tx.put(table.table, [...changed.values()]);
  return new Map([...before, ...changed]);
}
