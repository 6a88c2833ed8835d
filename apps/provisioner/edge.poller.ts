import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EdgeRecord } from './edge-record.js';
import { HostEdge } from './host-edge.js';

const POLL_MS = 5_000;

/** Looks whether the edge still answers, and brings it up again when it does not. */
@Injectable()
export class EdgePoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('edge');
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(
    private readonly edge: HostEdge,
    private readonly record: EdgeRecord,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.look(), POLL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.edge.leave();
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    await this.revive().catch((error: unknown) => this.log.error(`The edge does not answer and could not be brought up: ${(error as Error).message}`));
    this.looking = false;
  }

  private async revive(): Promise<void> {
    const started = await this.edge.revive();
    if (!started) return;
    this.log.warn('The edge did not answer and was brought up again.');
    await this.record.started(started);
  }
}
