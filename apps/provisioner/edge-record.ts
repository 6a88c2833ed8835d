import { randomUUID } from 'node:crypto';
import { edgeHostDecider } from '#domain/answers.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import type { StartedEdge } from './host-edge.js';

/** Records that this host's edge came up. Whatever it serves from here on can be rendered again from the log alone. */
export class EdgeRecord {
  constructor(
    private readonly store: EventStore,
    private readonly hostId: string,
  ) {}

  async started({ edge, rendering, revision: servedRevision, configHash }: StartedEdge): Promise<void> {
    const id = randomUUID();
    const cause = { id, meta: { correlationId: id, causationId: id, actor: 'system:provisioner', owner: 'system' } };
    await handle(this.store, cause, [on(edgeHostDecider, this.hostId, { type: 'EdgeStarted', data: { hostId: this.hostId, edge, rendering, servedRevision, configHash } })]);
  }
}
