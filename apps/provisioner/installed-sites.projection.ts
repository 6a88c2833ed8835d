import type { StoredMessage } from '#contracts/message.js';

interface Known {
  readonly hostId: string;
  readonly origin: string;
  readonly isRunning: boolean;
  readonly isInstalled: boolean;
}

/** Sites of one host whose software was set up, folded from what the host answered: where each is reached. */
export class InstalledSites {
  static readonly categories = ['workload'] as const;
  private readonly sites = new Map<string, Known>();

  constructor(private readonly hostId: string) {}

  apply(messages: readonly StoredMessage[]): void {
    for (const message of messages) this.take(message);
  }

  /** Those that run, as `http://address:port`. */
  running(): string[] {
    return [...this.sites.values()].filter(({ isRunning, isInstalled }) => isRunning && isInstalled).map(({ origin }) => origin);
  }

  private take(message: StoredMessage): void {
    if (message.type === 'WorkloadRemoved') this.sites.delete(message.data.siteId);
    if (message.type !== 'WorkloadReady' && message.type !== 'WorkloadInstalled') return;
    const { siteId, hostId } = message.data;
    if (hostId !== this.hostId) return;
    const known = this.sites.get(siteId) ?? { hostId, origin: '', isRunning: false, isInstalled: false };
    if (message.type === 'WorkloadInstalled') this.sites.set(siteId, { ...known, isInstalled: true });
    else this.sites.set(siteId, { ...known, origin: `http://${message.data.target?.address}:${message.data.target?.port}`, isRunning: message.data.power === 'running' });
  }
}
