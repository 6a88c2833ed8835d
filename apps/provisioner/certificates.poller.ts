import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import { CertificateKeys } from './certificate-keys.js';
import { HostCertificates } from './host-certificates.js';
import { HostEdge } from './host-edge.js';

const POLL_MS = 2_000;
/** What was told just now is on its way by its own command. */
const UNDER_WAY_MS = 30_000;
/** What somebody removed or harmed by hand is missed within this time. */
const LOOK_AGAIN_MS = 30_000;
/** So many names are told of many. */
const MOST_NAMED = 20;
/** A vault that does not answer is not asked for thousands of keys. */
const PATIENCE_MS = 60_000;

/**
 * Brings back what this host's edge has lost: certificates that the log wants here and the disk does not have, with their keys from the vault; and takes away what nobody
 * wants. It was looked what is there when the process started, and is from time to time.
 */
@Injectable()
export class CertificatesPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('certificates');
  private timer: NodeJS.Timeout | undefined;
  private working = false;
  private notBefore = 0;
  private loadedAt = Date.now();
  /** At the start nothing is on its way but what is delivered again, and that may as well be done twice. */
  private isFirst = true;

  constructor(
    private readonly store: EventStore,
    private readonly certificates: HostCertificates,
    private readonly keys: CertificateKeys,
    private readonly edge: HostEdge,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.look(), POLL_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.working || Date.now() < this.notBefore) return;
    this.working = true;
    await this.mend().catch((error: unknown) => {
      this.notBefore = Date.now() + PATIENCE_MS;
      this.log.warn(`Certificates could not be brought back, it is tried again: ${(error as Error).message}`);
    });
    this.working = false;
  }

  private async mend(): Promise<void> {
    if (Date.now() > this.loadedAt + LOOK_AGAIN_MS) {
      await this.certificates.load();
      this.loadedAt = Date.now();
    }
    const before = new Date(Date.now() - UNDER_WAY_MS).toISOString();
    const missing = this.certificates.missing().filter(({ since }) => this.isFirst || since < before);
    this.isFirst = false;
    for (const { data, command } of missing) await this.keys.bring(data, command);
    const left = this.certificates.left();
    if (missing.length + left.length > 0) await this.edge.serve(await this.store.head());
    for (const id of left) await this.certificates.remove(id);
    if (missing.length > 0) this.log.warn(`The disk had not what it should have, and has it again: the certificate${missing.length === 1 ? '' : 's'} of ${missing.flatMap(({ data }) => data.hostnames).slice(0, MOST_NAMED).join(', ')}${missing.length > MOST_NAMED ? ', …' : ''}.`);
  }
}
