import { readConfig } from '#boot/config.js';
import type { AppContext, Running } from '#boot/process.js';
import { startWorker } from '#boot/worker.js';
import { lifecycleConfig } from './lifecycle.config.js';
import { LifecycleModule } from './lifecycle.module.js';

/** Starts lifecycle: what should be. */
export async function start({ log, env }: AppContext): Promise<Running> {
  const settings = readConfig(lifecycleConfig, env);
  return startWorker({
    app: 'lifecycle',
    log,
    databaseUrl: settings.HOSTPLANE_LIFECYCLE_DATABASE_URL,
    natsUrl: settings.HOSTPLANE_LIFECYCLE_NATS_URL,
    module: (store) => LifecycleModule.with(settings, store),
  });
}
