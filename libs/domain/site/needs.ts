import type { SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { nothing, type Amounts } from '../project/quota.js';
import { bringsDatabase } from './request.js';

/** What the container of a static site is given: it only reads files. */
export const staticContainer = { memoryBytes: 64 * 1024 ** 2, cpuMillis: 500 } as const;

/** What a database server is given, unless the plane's configuration says otherwise. */
export const databaseServer = { memoryBytes: 1024 ** 3, cpuMillis: 2000 } as const;

type Room = Pick<Amounts, 'memoryBytes' | 'cpuMillis'>;

/** What a site takes of its project's room from its admission on. Served as files it takes no more than its disk, which comes with its content: with an upload, or with the backup that it begins with. `server` is what a database server takes that it brings with it. */
export function needsOf({ kind, runtime, limits, content }: Pick<SiteRequested, 'kind' | 'runtime' | 'limits' | 'content'>, usual: Room, server: Room): Amounts {
  const one = { ...nothing, sites: 1, diskBytes: content?.sizeBytes ?? 0 };
  if (runtime === 'files') return one;
  const least = kind === 'static' ? staticContainer : usual;
  const beside = kind === 'wordpress' && bringsDatabase(runtime) ? server : nothing;
  return { ...one, memoryBytes: (limits?.memoryBytes || least.memoryBytes) + beside.memoryBytes, cpuMillis: (limits?.cpuMillis || least.cpuMillis) + beside.cpuMillis };
}

/** Whether a site keeps data of its own that its host can measure: in volumes, or in a database. */
export function keepsData({ kind, runtime }: Pick<SiteRequested, 'kind' | 'runtime'>): boolean {
  return kind !== 'static' && runtime === 'docker';
}
