import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';

const POLL_MS = 5_000;

/** What leads visitors to this host, if they do not come by themselves. */
export interface Tended {
  /** Brings it up when it does not lead everybody here. Answers whether that was needed. */
  tend(): Promise<boolean>;
}

/** The edge that a tunnel leads to, if there is one. */
export class Tunnelled {
  constructor(readonly edge: Tended | undefined) {}
}

/** Looks whether the tunnel still leads visitors here, and brings it up again when it does not. */
@Injectable()
export class TunnelPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('tunnel');
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(private readonly tunnelled: Tunnelled) {}

  onApplicationBootstrap(): void {
    const { edge } = this.tunnelled;
    if (edge) this.timer = setInterval(() => void this.look(edge), POLL_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async look(edge: Tended): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const tended = await edge.tend().catch((error: unknown) => this.log.error(`The tunnel leads nobody here and could not be brought up: ${(error as Error).message}`));
    if (tended) this.log.warn('The tunnel did not lead everybody here and was brought up again.');
    this.looking = false;
  }
}
