import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { Logger } from '#boot/logger.js';
import type { ReadModel } from './read-model.js';
import { isAboutMembers, type Sight } from './sight.js';
import { showEvent, type TimelineEvent } from './shown-event.js';
import { matches, type TimelineFilter, type TimelineQueries } from './timeline.queries.js';

const HEARTBEAT_MS = 15_000;
const PAGE = 500;
/** A reader that is further behind than this is let go: it resumes by itself where it was. */
const MOST_UNSENT_BYTES = 4 << 20;

type Listener = (rows: readonly TimelineEvent[]) => void;

export interface Streaming {
  readonly filter: TimelineFilter;
  /** What the reader may see from now on; undefined: everything. */
  readonly sight: () => Promise<Sight | undefined>;
  /** undefined: only what is yet to come. */
  readonly after: number | undefined;
  /** Asked at each heartbeat; false ends the stream. */
  readonly isStillAllowed: () => Promise<boolean>;
}

/** Events as they come into the read model, read once for all who listen, sent as server-sent events. */
export class TimelineStream {
  private readonly listeners = new Set<Listener>();
  private readonly stopped = new AbortController();
  /** Everything up to here was handed to the listeners. */
  private position = 0;

  constructor(
    private readonly timeline: TimelineQueries,
    private readonly readModel: ReadModel,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.position = this.readModel.position;
    void this.tail();
  }

  stop(): void {
    this.stopped.abort();
  }

  /** Sends what was, then what comes, until the reader goes away. */
  async send(reply: FastifyReply, { filter, sight, after, isStillAllowed }: Streaming): Promise<void> {
    const { raw } = reply;
    const gone = new AbortController();
    raw.on('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.stopped.signal]);
    const queue: TimelineEvent[] = [];
    let wake = (): void => undefined;
    const listener: Listener = (rows) => {
      queue.push(...rows.filter((row) => matches(filter, row) || isAboutMembers(row)));
      wake();
    };
    this.listeners.add(listener);
    signal.addEventListener('abort', () => wake());
    const heartbeat = setInterval(() => void this.beat(reply, isStillAllowed, gone), HEARTBEAT_MS);
    try {
      let sent = after ?? this.position;
      raw.write(`retry: 1000\n: from ${sent}\n\n`);
      // Asked for once the listener is there, so that no change of what may be seen falls between the two.
      const seen = await sight();
      sent = await this.sendPast(reply, filter, sent, signal);
      while (!signal.aborted) {
        for (const row of queue.splice(0)) {
          const passes = seen === undefined || seen.passes(row);
          if (passes && row.position > sent && matches(filter, row)) raw.write(frameOf(row));
        }
        if (raw.writableLength > MOST_UNSENT_BYTES) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (queue.length > 0 || signal.aborted) resolve();
        });
      }
    } finally {
      clearInterval(heartbeat);
      this.listeners.delete(listener);
      raw.end();
    }
  }

  private async sendPast(reply: FastifyReply, filter: TimelineFilter, after: number, signal: AbortSignal): Promise<number> {
    for (let sent = after; ; ) {
      const rows = await this.timeline.rows(filter, { after: sent, limit: PAGE });
      for (const row of rows) reply.raw.write(frameOf(row));
      sent = rows.at(-1)?.position ?? sent;
      if (rows.length < PAGE || signal.aborted) return sent;
      if (reply.raw.writableNeedDrain) await drained(reply, signal);
    }
  }

  private async beat(reply: FastifyReply, isStillAllowed: () => Promise<boolean>, gone: AbortController): Promise<void> {
    reply.raw.write(': still here\n\n');
    const isAllowed = await isStillAllowed().catch(() => true);
    if (!isAllowed) gone.abort();
  }

  private async tail(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        await this.readModel.passed(this.position, signal);
        await this.handOut(this.readModel.position);
      } catch (err) {
        if (signal.aborted) return;
        this.log.warn({ err }, 'The timeline cannot be read; trying again');
        await sleep(1000);
      }
    }
  }

  private async handOut(upTo: number): Promise<void> {
    while (this.listeners.size > 0) {
      const rows = await this.timeline.rows({ asker: undefined }, { after: this.position, before: upTo + 1, limit: PAGE });
      for (const listener of this.listeners) listener(rows);
      if (rows.length < PAGE) break;
      this.position = rows.at(-1)?.position ?? upTo;
    }
    this.position = Math.max(this.position, upTo);
  }
}

function frameOf(row: TimelineEvent): string {
  return `id: ${row.position}\nevent: ${row.type}\ndata: ${JSON.stringify(showEvent(row))}\n\n`;
}

function drained(reply: FastifyReply, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    reply.raw.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
