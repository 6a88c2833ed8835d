import type { StoredMessage } from '#contracts/message.js';
import { usageDecider, type Uses } from '#domain/usage/usage.js';

/** After these, what is in volumes and databases is another than before. */
const CHANGES: ReadonlySet<string> = new Set(['WorkloadInstalled', 'WorkloadRemoved', 'BackupRestored', 'DataRemoved']);

/** What was recorded of this host's projects, and whether anything was done since the last look that changes what there is. */
export class RecordedUsage {
  static readonly categories = [usageDecider.category, 'workload', 'archive'] as const;
  private readonly recorded = new Map<string, Uses>();
  /** Something was installed, restored or removed here since this was set back. */
  isStale = true;

  constructor(private readonly hostId: string) {}

  apply(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      if (CHANGES.has(message.type) && (message.data as { hostId: string }).hostId === this.hostId) this.isStale = true;
      if (message.type === 'UsageMeasured' && message.data.hostId === this.hostId) this.recorded.set(message.data.projectId, message.data.data);
    }
  }

  /** By project; one that has nothing any more has an empty list. */
  get all(): ReadonlyMap<string, Uses> {
    return this.recorded;
  }

  of(projectId: string): Uses {
    return this.recorded.get(projectId) ?? usageDecider.initial;
  }
}
