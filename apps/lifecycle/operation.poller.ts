import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { deriveId } from '#contracts/ids.js';
import type { StoredMessage } from '#contracts/message.js';
import { workflowOf } from '#domain/operation/workflows.js';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { LifecycleConfig } from './lifecycle.config.js';
import { OperationReactor } from './operation.reactor.js';

interface Open {
  readonly kind: string;
  readonly last: StoredMessage;
}

const POLL_MS = 5_000;
/** How many times the usual deadline a workflow may take that moves data. */
const PATIENCE = 48;

/** Gives up operations whose step has not been answered for too long, so that nothing is busy for ever. */
@Injectable()
export class OperationPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('operations');
  private readonly open = new Map<string, Open>();
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly config: LifecycleConfig,
    private readonly operations: OperationReactor,
  ) {}

  onApplicationBootstrap(): void {
    this.follower = follow(this.store, { categories: ['operation'], apply: (messages) => messages.forEach((message) => this.take(message)) });
    this.timer = setInterval(() => void this.giveUpLate(Date.now()), POLL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.follower?.stop();
  }

  private take(message: StoredMessage): void {
    if (message.type === 'OperationStarted') this.open.set(message.data.operationId, { kind: message.data.kind, last: message });
    else if (message.type === 'OperationSucceeded' || message.type === 'OperationFailed') this.open.delete(message.data.operationId);
    else if ('operationId' in message.data) {
      const known = this.open.get(message.data.operationId);
      if (known) this.open.set(message.data.operationId, { kind: known.kind, last: message });
    }
  }

  private async giveUpLate(now: number): Promise<void> {
    const deadline = this.config.HOSTPLANE_STEP_DEADLINE_SECONDS;
    const late = [...this.open].filter(([, { kind, last }]) => workflowOf(kind).cancellable && now - Date.parse(last.recordedAt) > deadlineOf(kind, deadline) * 1000);
    for (const [operationId, { kind, last }] of late) {
      const cause = { id: deriveId(last.id, 'deadline'), meta: last.meta };
      const reason = `No answer within ${deadlineOf(kind, deadline)} s. Is the host's provisioner running?`;
      await this.operations.move(operationId, { type: 'CancelOperation', reason }, cause).catch((err: unknown) => this.log.warn(err));
    }
  }
}

const deadlineOf = (kind: string, deadlineSeconds: number): number => deadlineSeconds * (workflowOf(kind).patient ? PATIENCE : 1);
