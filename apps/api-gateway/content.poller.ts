import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#boot/logger.js';
import type { ContentStore } from '#content/content-store.js';
import type { Idempotency } from './idempotency.js';
import type { SiteQueries } from './sites.queries.js';

const EACH_MS = 3_600_000;
/** An upload is stored before its release is in the log: what is younger is left alone. */
const GRACE_MS = 6 * 3_600_000;

/** Takes away, each hour, what nobody refers to any more: uploads that are no site's release, and first answers of yesterday. */
export class ContentPoller {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly folder: string,
    private readonly content: ContentStore,
    private readonly sites: SiteQueries,
    private readonly idempotency: Idempotency,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.sweep(), EACH_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  async sweep(graceMs = GRACE_MS): Promise<void> {
    try {
      await this.idempotency.sweep();
      await this.content.sweep();
      for (const name of await readdir(this.folder)) await this.sweepOne(name, graceMs);
    } catch (err) {
      this.log.warn({ err }, 'Could not take away what is not needed any more; tried again in an hour');
    }
  }

  private async sweepOne(name: string, graceMs: number): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(name)) return;
    const { mtimeMs } = await stat(join(this.folder, name));
    if (Date.now() - mtimeMs < graceMs || (await this.sites.usesContent(name))) return;
    await this.content.remove(name);
    this.log.info({ sha256: name }, 'Removed an upload that is no release of any site');
  }
}
