import { randomUUID } from 'node:crypto';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Hosts } from './hosts.js';

const POLL_MS = 5_000;
const ANSWERS_WITHIN_MS = 4_000;
/** A host that has said nothing for so long is silent: what it saw of its sites may be otherwise by now. */
const SILENT_AFTER_MS = 20_000;

/** Looks whether the hosts of the sites that are shown still answer, so that nothing is claimed of a site that nobody can see. */
@Injectable()
export class HostPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  /** When each host was last known to be there, in milliseconds; one that was never asked about has the benefit of the doubt. */
  private readonly answered = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly hosts: Hosts) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.look(), POLL_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Since when a host has been silent; undefined while it answers. */
  silentSince(hostId: string): string | undefined {
    const last = this.answered.get(hostId);
    if (last === undefined) this.answered.set(hostId, Date.now());
    return last === undefined || Date.now() - last < SILENT_AFTER_MS ? undefined : new Date(last).toISOString();
  }

  private async look(): Promise<void> {
    await Promise.all([...this.answered.keys()].map(async (hostId) => {
      const id = randomUUID();
      const cause = { id, meta: { correlationId: id, causationId: id, actor: 'system:api-gateway', owner: '' } };
      const isThere = await this.hosts.ask(hostId, 'ShowProgress', { operationId: '' }, cause, ANSWERS_WITHIN_MS).then(() => true, () => false);
      if (isThere) this.answered.set(hostId, Date.now());
    }));
  }
}
