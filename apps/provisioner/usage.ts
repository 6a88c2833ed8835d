import { randomUUID } from 'node:crypto';
import { streamId } from '#contracts/message.js';
import { isNotable, usageDecider, type Uses } from '#domain/usage/usage.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import type { DatabaseSizes } from '#providers/databases.js';
import { InTurn } from '#providers/in-turn.js';
import type { Volume, VolumeFilter } from '#providers/site-storage.js';
import { dataUses } from './data-uses.js';
import type { Databases } from './databases.js';
import type { RecordedUsage } from './recorded-usage.projection.js';
import type { Runtimes } from './runtimes.js';

/** As a host lists them: its volumes, and the databases that go with them. */
export type Listed = Omit<Volume, 'role'> & { readonly role: Volume['role'] | 'database' };

const NO_DATABASES: DatabaseSizes = { bytes: new Map(), isWhole: true };

/** Looks at what sites have written on this host, and records what has changed notably, so that the quota counts it. */
export class Usage {
  private readonly turns = new InTurn();

  /** `recorded` is kept up by whoever follows the log, and empty where nothing is recorded. */
  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly databases: Databases,
    private readonly recorded: RecordedUsage,
    private readonly hostId: string,
  ) {}

  /** One look for all projects. Where a part of it fails, nothing is recorded. */
  async measureAll(signal?: AbortSignal): Promise<void> {
    await this.turns.run('', async () => {
      const { uses } = await this.look({ role: 'data' }, signal);
      for (const projectId of new Set([...uses.keys(), ...this.recorded.all.keys()])) {
        const data = uses.get(projectId) ?? [];
        if (isNotable(this.recorded.of(projectId), data)) await this.record(projectId, data);
      }
    });
  }

  /** What a project has: with the figures that the quota counts, where they are recorded. Nothing is; what is notable has another look soon. */
  list(projectId: string, signal?: AbortSignal): Promise<readonly Listed[]> {
    return this.turns.run('', async () => {
      const { volumes, uses } = await this.look({ projectId }, signal);
      const found = uses.get(projectId) ?? [];
      const known = this.recorded.of(projectId);
      if (isNotable(known, found)) this.recorded.isStale = true;
      const bytesOf = new Map(known.map(({ name, bytes }) => [name, bytes]));
      const databases = found.flatMap(({ name, dataId, role, bytes }): Listed[] => (role === 'database' ? [{ name, projectId, dataId, role, path: '', bytes }] : []));
      return [...volumes, ...databases].map((one) => ({ ...one, bytes: bytesOf.get(one.name) ?? one.bytes }));
    });
  }

  private async look(filter: VolumeFilter, signal?: AbortSignal): Promise<{ volumes: readonly Volume[]; uses: ReadonlyMap<string, Uses> }> {
    const volumes = (await Promise.all(this.runtimes.all.map(async ({ storage }) => storage?.volumes(filter, signal) ?? []))).flat();
    const databases = volumes.some(({ role }) => role === 'data') ? await this.databases.sizes(signal) : NO_DATABASES;
    return { volumes, uses: dataUses(volumes, databases, (projectId) => this.recorded.of(projectId)) };
  }

  /** Data of a project that the log does not know is nobody's. */
  private async record(projectId: string, data: Uses): Promise<void> {
    const founded = await this.store.readFirst(streamId('project', projectId));
    if (!founded) return;
    const id = randomUUID();
    const cause = { id, meta: { correlationId: id, causationId: id, actor: 'system:provisioner', owner: founded.meta.owner } };
    const measure = { type: 'MeasureUsage', projectId, hostId: this.hostId, data } as const;
    await handle(this.store, cause, [on(usageDecider, projectId, measure)]);
  }
}
