import type { Project, ProjectEvent } from './project.js';
import { nothing, type Amounts } from './quota.js';

/** What a database server may use. */
export type ServerLimits = Pick<Amounts, 'memoryBytes' | 'cpuMillis'>;

/** A project's own database server: it is there as long as a site has its database on it, or data of a destroyed one was kept there. */
export interface OwnServer extends ServerLimits {
  /** Ids of sites, and of data that was kept. */
  readonly holders: ReadonlySet<string>;
}

/** What the server takes of the quota. */
export function serverUse(server: OwnServer | undefined): Amounts {
  return server ? { ...nothing, memoryBytes: server.memoryBytes, cpuMillis: server.cpuMillis } : nothing;
}

/** What the server would take in addition when a site wants its database there. */
export function serverNeeds(server: OwnServer | undefined, wanted: ServerLimits | undefined): Amounts {
  return wanted && !server ? { ...nothing, ...wanted } : nothing;
}

export function join({ request, server }: Project, siteId: string, dataId: string, wanted: ServerLimits | undefined): readonly ProjectEvent[] {
  if (!wanted) return [];
  const { memoryBytes, cpuMillis } = serverNeeds(server, wanted);
  return [{ type: 'DatabaseServerJoined', data: { projectId: request.projectId, siteId, dataId, memoryBytes, cpuMillis } }];
}

/** `keptDataId` stays on the server; empty: nothing of the site does. */
export function leave({ request, server }: Project, siteId: string, keptDataId: string): readonly ProjectEvent[] {
  if (!server?.holders.has(siteId)) return [];
  const isLast = keptDataId === '' && server.holders.size === 1;
  const { memoryBytes, cpuMillis } = isLast ? server : nothing;
  return [{ type: 'DatabaseServerLeft', data: { projectId: request.projectId, siteId, dataId: keptDataId, memoryBytes, cpuMillis } }];
}

/** Data that had stayed on the server is gone. */
export function discardFrom({ request, server }: Project, siteId: string, dataId: string): readonly ProjectEvent[] {
  if (!server?.holders.has(dataId)) return [];
  const { memoryBytes, cpuMillis } = server.holders.size === 1 ? server : nothing;
  return [{ type: 'DatabaseServerLeft', data: { projectId: request.projectId, siteId, dataId: '', memoryBytes, cpuMillis, discardedDataId: dataId } }];
}

export function evolveServer(server: OwnServer | undefined, event: ProjectEvent): OwnServer | undefined {
  if (event.type !== 'DatabaseServerJoined' && event.type !== 'DatabaseServerLeft') return server;
  const { siteId, dataId, memoryBytes, cpuMillis } = event.data;
  const [comes, goes] = event.type === 'DatabaseServerJoined' ? [siteId, dataId] : [dataId, event.data.discardedDataId || siteId];
  // A site's own data has the site's id.
  const holders = new Set([...(server?.holders ?? [])].filter((one) => one !== goes));
  if (comes !== '') holders.add(comes);
  if (holders.size === 0) return undefined;
  return server ? { ...server, holders } : { memoryBytes, cpuMillis, holders };
}
