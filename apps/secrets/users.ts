import { streamId } from '#contracts/message.js';
import { residents } from '#domain/project/residents.js';
import { Refusal } from '#domain/refusal.js';
import { loadState, on, type Part, type StreamReader } from '#eventstore/handle.js';

/**
 * Refuses while the environment of a site names the secret. Answers a part that holds the append to the project's sites as they were read, so that
 * none comes in the same moment; whoever reads the project's stream ahead reads it once for both.
 */
export async function unusedBySites(log: StreamReader, projectId: string, secret: string): Promise<Part> {
  const { state: sites } = await loadState(log, residents, projectId);
  for (const siteId of sites) {
    const requested = await log.readFirst(streamId('site', siteId));
    if (requested?.type !== 'SiteRequested' || !requested.data.app?.secretEnv.some((one) => one.secret === secret)) continue;
    throw new Refusal('conflict', `The environment of the site "${requested.data.name}" needs "${secret}". Destroy the site first.`);
  }
  return on(residents, projectId, 'look');
}
