import { readConfig } from '#boot/config.js';
import type { AppContext, Running } from '#boot/process.js';
import { startWorker } from '#boot/worker.js';
import { domainsConfig } from './domains.config.js';
import { DomainsModule } from './domains.module.js';

/** Starts domains: which names lead where. */
export async function start({ log, env }: AppContext): Promise<Running> {
  const settings = readConfig(domainsConfig, env);
  return startWorker({
    app: 'domains',
    log,
    databaseUrl: settings.HOSTPLANE_DOMAINS_DATABASE_URL,
    natsUrl: settings.HOSTPLANE_DOMAINS_NATS_URL,
    module: (store, bus) => DomainsModule.with(settings, store, bus),
  });
}
