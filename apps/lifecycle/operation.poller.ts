import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { deriveId } from '#contracts/ids.js';
import { streamId, type StoredMessage } from '#contracts/message.js';
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
/** Categories of the streams that answer asks. */
const ANSWERED_IN = ['home', 'workload', 'database', 'archive', 'edge', 'vault'];

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
    const late = [...this.open].filter(([, { kind, last }]) => workflowOf(kind).cancellable && now - Date.parse(last.recordedAt) > this.deadlineOf(kind) * 1000);
    for (const [operationId, open] of late) await this.giveUp(operationId, open).catch((err: unknown) => this.log.warn(err));
  }

  private async giveUp(operationId: string, { kind, last }: Open): Promise<void> {
    const said = (await lastTry(this.store, last)) ?? "Is the host's provisioner running?";
    const cause = { id: deriveId(last.id, 'deadline'), meta: last.meta };
    await this.operations.move(operationId, { type: 'CancelOperation', reason: `No answer within ${this.deadlineOf(kind)} s. ${said}` }, cause);
  }

  /** Seconds. */
  private deadlineOf(kind: string): number {
    return this.config.HOSTPLANE_STEP_DEADLINE_SECONDS * (workflowOf(kind).patient ? PATIENCE : 1);
  }
}

/** What the last try of an ask said; undefined: nobody has said anything. */
async function lastTry(store: EventStore, { data }: StoredMessage): Promise<string | undefined> {
  const { operationId, turn, siteId, projectId } = data as { operationId?: string; turn?: number; siteId?: string; projectId?: string };
  const answers = await store.readStreams([siteId, projectId].flatMap((key) => (key ? ANSWERED_IN.map((category) => streamId(category, key)) : [])));
  const delays = [...answers.values()].flat().filter((one): one is StoredMessage<'WorkDelayed'> => one.type === 'WorkDelayed' && one.data.operationId === operationId && one.data.turn === turn);
  const latest = delays.sort((a, b) => a.position - b.position).at(-1);
  return latest && `The last try: ${latest.data.error}`;
}
