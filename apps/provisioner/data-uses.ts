import type { DataUse } from '#contracts/gen/hostplane/v1/usage.js';
import { wordpressDatabase } from '#domain/naming/naming.js';
import type { Uses } from '#domain/usage/usage.js';
import type { DatabaseSizes } from '#providers/databases.js';
import type { Volume } from '#providers/site-storage.js';

/**
 * What sites keep themselves, by project: each volume, and each database with the volume that it belongs to. Of a database whose server does not
 * answer, what was `recorded` still holds.
 */
export function dataUses(volumes: readonly Volume[], databases: DatabaseSizes, recorded: (projectId: string) => Uses): ReadonlyMap<string, Uses> {
  const uses = new Map<string, Map<string, DataUse>>();
  for (const { name, projectId, dataId, role, bytes } of volumes) {
    if (role !== 'data') continue;
    const ofProject = uses.get(projectId) ?? new Map<string, DataUse>();
    uses.set(projectId, ofProject.set(name, { name, dataId, role, bytes }));
    const database = wordpressDatabase(dataId);
    const size = databases.bytes.get(database) ?? (databases.isWhole ? undefined : recorded(projectId).find((one) => one.name === database)?.bytes);
    if (size !== undefined) ofProject.set(database, { name: database, dataId, role: 'database', bytes: size });
  }
  return new Map([...uses].map(([projectId, ofProject]) => [projectId, [...ofProject.values()].sort((a, b) => (a.name < b.name ? -1 : 1))]));
}
