import { readConfig } from '#boot/config.js';
import type { AppContext, Running } from '#boot/process.js';
import { startWorker } from '#boot/worker.js';
import { secretsConfig } from './secrets.config.js';
import { SecretsModule } from './secrets.module.js';

/** Starts the vault: the only holder of the master key. */
export async function start({ log, env }: AppContext): Promise<Running> {
  const settings = readConfig(secretsConfig, env);
  return startWorker({
    app: 'secrets',
    log,
    databaseUrl: settings.HOSTPLANE_SECRETS_DATABASE_URL,
    natsUrl: settings.HOSTPLANE_SECRETS_NATS_URL,
    module: (store) => SecretsModule.with(settings, store, log),
  });
}
