import type { DatabaseServer, DatabaseSizes } from '#providers/databases.js';
import { ProviderError } from '#providers/provider-error.js';

/** The database servers of this host, by the runtime whose sites reach them. */
export class Databases {
  constructor(private readonly available: readonly DatabaseServer[]) {}

  has(runtime: string): boolean {
    return this.available.some(({ name }) => name === runtime);
  }

  /** Those for sites on this runtime, or an error that says that there are none. */
  get(runtime: string): DatabaseServer {
    const found = this.available.find(({ name }) => name === runtime);
    if (!found) throw new ProviderError(`This host has no database server for a site on "${runtime}": it takes a Docker Engine that this host reaches. Install and start one, start the plane again, and retry.`, false);
    return found;
  }

  /** What every database of this host takes of its disk. */
  async sizes(signal?: AbortSignal): Promise<DatabaseSizes> {
    const all = await Promise.all(this.available.map((server) => server.sizes(signal)));
    return { bytes: new Map(all.flatMap(({ bytes }) => [...bytes])), isWhole: all.every(({ isWhole }) => isWhole) };
  }
}
