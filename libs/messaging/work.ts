import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredMessage } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import type { BusLog } from './connection.js';
import { readMessage } from './envelope.js';
import { backOffMs, fateOf, reasonOf } from './fate.js';
import { Lanes, type Job, type Outcome } from './lanes.js';
import { Pull, type Letter } from './pull.js';

export interface Delivery {
  readonly deliveryCount: number;
  readonly maxDeliveries: number;
  readonly position: number;
}

export interface WorkOptions {
  readonly durables: readonly string[];
  /** Order per key is kept here, because the durable has many messages out at once; else the server keeps it, with one at a time. */
  readonly keepsOrder: boolean;
  readonly concurrency: number;
  readonly log: BusLog;
  handle(message: StoredMessage, delivery: Delivery): Promise<void>;
}

interface Task extends Job {
  readonly letter: Letter;
  /** Deliveries so far, those in this process included. */
  deliveryCount: number;
  /** Tries that failed because the plane's own ground was away: they do not count. */
  waits: number;
  lastSignMs: number;
}

const HEARTBEAT_MS = 250;
const GATE_POLL_MS = 200;

/** What an app does with the messages of its durables: pulled, kept alive, handled in order of their key, acknowledged. */
export class Work {
  private readonly pulls: Pull[];
  private readonly queue: Lanes<Task>;
  private readonly held = new Map<number, Task>();
  /** Called when one more message is held. */
  private readonly gates = new Set<() => void>();
  private heartbeat: NodeJS.Timeout | undefined;
  private latest = 0;
  private stopped = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: WorkOptions,
  ) {
    this.queue = new Lanes({ concurrency: options.concurrency, run: (task) => this.attempt(task) });
    this.pulls = options.durables.map((durable) => new Pull(connection, durable, options.log, (pulled) => this.take(pulled)));
  }

  start(): void {
    if (this.options.keepsOrder) {
      void this.openGate();
      void this.watchGate();
    }
    for (const pull of this.pulls) pull.start();
  }

  /** Takes a message up; false when it is being worked on already. */
  take(letter: Letter): boolean {
    const { position, deliveryCount } = letter;
    this.latest = Math.max(this.latest, position);
    if (this.held.has(position)) return false;
    const task: Task = { letter, key: keyOf(letter.subject), position, deliveryCount, waits: 0, lastSignMs: performance.now() };
    this.held.set(position, task);
    this.heartbeat ??= setInterval(() => this.keepAlive(), HEARTBEAT_MS);
    this.queue.push(task);
    for (const look of this.gates) look();
    return true;
  }

  /** Pulls no more, hands back what was not started, and resolves when what was started is finished. */
  async stop(): Promise<void> {
    await Promise.all(this.pulls.map((pull) => pull.stop()));
    this.stopped = true;
    for (const task of this.queue.stop()) this.settle(task, () => task.letter.nak());
    await this.queue.whenIdle();
    this.rest();
  }

  /** With nothing in hand nobody is kept waiting for a sign of life. */
  private rest(): void {
    clearInterval(this.heartbeat);
    this.heartbeat = undefined;
  }

  private async attempt(task: Task): Promise<Outcome> {
    const { letter, position, deliveryCount } = task;
    let handled: StoredMessage;
    try {
      handled = readMessage(letter.headers, letter.text());
      await this.options.handle(handled, { deliveryCount, maxDeliveries: letter.maxDeliveries, position });
    } catch (error) {
      return this.fail(task, error);
    }
    reached(`handler:${handled.type}:done`);
    this.settle(task, () => letter.ack());
    reached(`handler:${handled.type}:acked`);
    return 'finished';
  }

  private fail(task: Task, error: unknown): Outcome {
    const { letter, deliveryCount } = task;
    const fate = fateOf(error, deliveryCount, letter.maxDeliveries);
    const what = `${letter.subject} at ${task.position}, delivery ${deliveryCount}`;
    if (fate.kind === 'dead') {
      this.options.log.error(`Given up: ${what}. ${fate.reason}`);
      this.settle(task, () => letter.term(fate.reason));
      return 'finished';
    }
    const delayMs = backOffMs(fate.kind === 'wait' ? (task.waits += 1) : deliveryCount, Math.random());
    this.options.log.warn(`Tried again in ${delayMs} ms: ${what}. ${fate.reason}`);
    const staysHere = fate.kind === 'wait' || this.options.keepsOrder;
    if (staysHere && !this.stopped) {
      if (fate.kind === 'again') task.deliveryCount += 1;
      return { againInMs: delayMs };
    }
    this.settle(task, () => letter.nak(delayMs));
    return 'finished';
  }

  private settle(task: Task, say: () => void): void {
    this.held.delete(task.position);
    if (this.held.size === 0) this.rest();
    try {
      say();
    } catch (error) {
      this.options.log.warn(`No answer could be given for position ${task.position}; it will come again. ${reasonOf(error)}`);
    }
  }

  private keepAlive(): void {
    const now = performance.now();
    for (const task of this.held.values()) {
      if (now - task.lastSignMs < task.letter.ackWaitMs / 3) continue;
      task.lastSignMs = now;
      try {
        task.letter.working();
      } catch {
        return; // the connection is closed: what is held comes again
      }
    }
  }

  /**
   * After a start or a lost connection some messages may be out that never came here. Until the server has given them out again, later ones
   * of their keys must not overtake them: nothing later than what had come starts before everything that is out is here.
   */
  private async openGate(): Promise<void> {
    this.queue.limit(this.latest);
    while (!this.stopped) {
      const outstanding = await this.pulls[0]!.outstanding().catch(() => Infinity);
      if (outstanding <= this.held.size) return this.queue.limit(Infinity);
      await this.oneMore();
    }
  }

  /** Until one more message is held, or it is time to ask again: others may have finished some. */
  private async oneMore(): Promise<void> {
    const held = new AbortController();
    const look = () => held.abort();
    this.gates.add(look);
    await sleep(GATE_POLL_MS, undefined, { ref: false, signal: held.signal }).catch(() => undefined);
    this.gates.delete(look);
  }

  private async watchGate(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.queue.limit(this.latest);
      if (status.type === 'reconnect') void this.openGate();
    }
  }
}

/** The key of a stored subject: its fourth token, or the fifth of a command to a host. */
function keyOf(subject: string): string {
  const tokens = subject.split('.');
  return tokens[subject.startsWith('cmd.host.') ? 4 : 3] ?? subject;
}
