import type { Meta, StoredMessage } from '#contracts/message.js';

/** A workload as this host was last asked to make it. */
export interface Meant {
  readonly power: string;
  /** Empty: made by a version that did not say so. */
  readonly runtime: string;
  readonly meta: Meta;
}

/** How a workload was last recorded to be; one that was not looked at since it was made is healthy. */
const FIRST = 'healthy';

/** What is meant to be on one host, and how it was seen to be, folded from what the host answered and recorded. */
export class MeantWorkloads {
  static readonly categories = ['workload', 'health'] as const;
  private readonly meant = new Map<string, Meant>();
  private readonly states = new Map<string, string>();

  constructor(private readonly hostId: string) {}

  apply(messages: readonly StoredMessage[]): void {
    for (const { type, data, meta } of messages) {
      if (type === 'WorkloadRemoved') this.meant.delete(data.siteId);
      if (type === 'WorkloadObserved') this.states.set(data.siteId, data.state);
      if (type === 'WorkloadReady' && data.hostId === this.hostId) this.meant.set(data.siteId, { power: data.power, runtime: data.runtime, meta });
    }
  }

  /** By site. */
  get all(): ReadonlyMap<string, Meant> {
    return this.meant;
  }

  stateOf(siteId: string): string {
    return this.states.get(siteId) ?? FIRST;
  }
}
