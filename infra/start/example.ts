import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pc from 'picocolors';
import { ApiClient } from '#api/client.js';
import type { ShownEvent } from '#api/event.js';
import { ProblemError } from '#api/problem.js';
import type { Site } from '#api/site.js';
import { isLive } from '#domain/site/status.js';
import { archiveOf } from '../../apps/cli/pack-folder.js';
import { writePrivate } from './credentials.js';
import type { Say } from './say.js';

const NAME = 'hello';
/** The compiler copies no pages: they are read where they were written. */
const CONTENT = join(import.meta.dirname.replace(/[\\/]dist([\\/]infra[\\/]start)$/, '$1'), 'example');

/**
 * Puts the example site live through the public API, once in the life of a data folder: whoever deletes it has had it. Later starts only
 * say how it is.
 */
export async function showExample(api: { url: string; token: string }, folder: string, say: Say): Promise<Site | undefined> {
  const client = new ApiClient(api);
  const madeOnce = join(folder, 'example.json');
  if (existsSync(madeOnce)) return await stillThere(client, say);
  const step = say.step(`site ${NAME}`);
  const site = await make(client, (text) => step.note(text));
  writePrivate(madeOnce, { siteId: site.id });
  if (site.status !== 'ACTIVE') {
    say.failed(`The example site is ${site.status}: ${site.lastError ?? 'it did not become active in time'}. Everything else works; npm start does not make it again.`);
    return site;
  }
  step.done(`live at ${pc.bold(site.url)}`);
  say.line();
  await showTimeline(client, site, say);
  return site;
}

async function stillThere(client: ApiClient, say: Say): Promise<Site | undefined> {
  const site = await show(client);
  if (site && isLive(site.status)) say.step(`site ${NAME}`).done(`still there: ${pc.bold(site.url)}`);
  return site;
}

/** The keys are always the same: a start that was interrupted half-way goes on with the same site. */
async function make(client: ApiClient, note: (text: string) => void): Promise<Site> {
  note('asking for it');
  const accepted = await client.call('createSite', { body: { name: NAME, kind: 'static' } }, { key: 'npm-start-example-site' }).catch(async (error: unknown) => {
    const existing = error instanceof ProblemError && error.code === 'conflict' ? await show(client) : undefined;
    if (!existing) throw error;
    return { body: existing };
  });
  note('publishing its pages');
  const archive = await archiveOf(CONTENT, () => undefined);
  await client.publish(accepted.body.id, archive.open, { key: 'npm-start-example-content', contentType: archive.contentType, wait: true });
  note('waiting until it is live');
  return await settled(client, accepted.body.id);
}

async function settled(client: ApiClient, id: string): Promise<Site> {
  for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
    const { body: site } = await client.call('showSite', { params: { id } });
    if (site.status === 'ACTIVE' || site.status === 'FAILED' || Date.now() > deadline) return site;
  }
}

async function show(client: ApiClient): Promise<Site | undefined> {
  try {
    return (await client.call('showSite', { params: { id: NAME } })).body;
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

async function showTimeline(client: ApiClient, site: Site, say: Say): Promise<void> {
  const { body } = await client.call('siteEvents', { params: { id: site.id }, query: { limit: 100 } });
  const page = body as { items: readonly ShownEvent[] };
  const began = Date.parse(page.items[0]?.recordedAt ?? site.createdAt);
  say.line(`  ${pc.bold('What happened, as the log has it')}`);
  for (const event of page.items.filter(({ type }) => type !== 'OperationStepStarted')) {
    const seconds = ((Date.parse(event.recordedAt) - began) / 1000).toFixed(3);
    say.line(`  ${pc.dim(`#${event.position}`.padStart(6))}  ${pc.dim(`+${seconds} s`)}  ${event.type.padEnd(24)} ${pc.dim(saidBy(event))}`);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  SiteAdmitted: 'its project has room for it',
  SiteRequested: 'the wish is written down',
  SiteProvisioningStarted: 'work begins',
  WorkloadReady: 'this machine has it in place',
  RouteDefined: 'its address leads there',
  EdgeApplied: 'the edge was asked, and serves it',
  SiteActivated: 'only now it counts as live',
  SiteReleaseRequested: 'its pages were uploaded',
  SiteMeasured: 'its project has room for its pages',
  SiteReleasePublished: 'its pages are live',
};

/** What an event means, or the one word of its data that tells it from its neighbours. */
function saidBy(event: ShownEvent): string {
  const said = WORDS[event.type] ?? event.data['step'] ?? event.data['kind'];
  return typeof said === 'string' ? said : '';
}
