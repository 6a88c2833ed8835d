import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { deriveId } from '#contracts/ids.js';
import type { StoredMessage } from '#contracts/message.js';
import { backupDecider } from '#domain/backup/backup.js';
import { expiredBackups, type KeptBackup } from '#domain/backup/retention.js';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { handle, on } from '#eventstore/handle.js';
import { LifecycleConfig } from './lifecycle.config.js';

interface Known extends KeptBackup {
  readonly completed: StoredMessage<'BackupCompleted'>;
}

const POLL_MS = 5_000;

/** Has backups removed whose time is over: after each new one of their site, and as they grow old. */
@Injectable()
export class BackupPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('backups');
  /** By site, by backup. */
  private readonly kept = new Map<string, Map<string, Known>>();
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly config: LifecycleConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.follower = follow(this.store, { categories: ['backup'], apply: (messages) => messages.forEach((message) => this.take(message)) });
    this.timer = setInterval(() => void this.prune(Date.now()), POLL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.follower?.stop();
  }

  private take(message: StoredMessage): void {
    if (message.type === 'BackupCompleted') {
      const { siteId, backupId } = message.data;
      const ofSite = this.kept.get(siteId) ?? new Map<string, Known>();
      this.kept.set(siteId, ofSite.set(backupId, { backupId, takenAtMs: Date.parse(message.recordedAt), completed: message }));
    } else if (message.type === 'BackupRemovalRequested') {
      this.kept.get(message.data.siteId)?.delete(message.data.backupId);
    }
  }

  private async prune(nowMs: number): Promise<void> {
    const retention = { most: this.config.HOSTPLANE_BACKUPS_KEPT, days: this.config.HOSTPLANE_BACKUP_DAYS };
    for (const ofSite of this.kept.values()) {
      for (const backupId of expiredBackups([...ofSite.values()], retention, nowMs)) {
        const { id, meta } = ofSite.get(backupId)!.completed;
        const cause = { id: deriveId(id, 'retention'), meta };
        const command = { type: 'DeleteBackup', operationId: deriveId(backupId, 'retention'), reason: 'retention' } as const;
        await handle(this.store, cause, [on(backupDecider, backupId, command)], { actor: 'system:lifecycle' }).catch((err: unknown) => this.log.warn(err));
      }
    }
  }
}
