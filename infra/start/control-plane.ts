import { createLogger } from '#boot/logger.js';
import { runApp, type Running } from '#boot/process.js';
import { start as startGateway } from '../../apps/api-gateway/start.js';
import { start as startDomains } from '../../apps/domains/start.js';
import { start as startLifecycle } from '../../apps/lifecycle/start.js';
import { start as startRelay } from '../../apps/relay/start.js';
import { start as startSecrets } from '../../apps/secrets/start.js';

/** In the order in which they start. The gateway comes last and leaves first, so that nobody asks what is not there. */
const apps = { relay: startRelay, lifecycle: startLifecycle, domains: startDomains, secrets: startSecrets, 'api-gateway': startGateway };

/** Everything but the provisioner in one process. */
await runApp('control-plane', async ({ env, log }) => {
  const running: Running[] = [];
  const stop = async () => {
    for (const app of running.splice(0).reverse()) await app.stop();
  };
  try {
    for (const [name, start] of Object.entries(apps)) running.push(await start({ name, env, log: createLogger({ app: name, level: log.level }) }));
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
});
