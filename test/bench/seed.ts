import { randomUUID } from 'node:crypto';
import type { NewMessage } from '#contracts/message.js';
import { EventStore } from '#eventstore/event-store.js';
import { META } from '../support/messages.js';

/** Fills a log with the lives of sites: each is requested, goes live, and then gets releases. */
export async function seedSites(url: string, sites: number, eventsEach: number, onProgress: (events: number) => void): Promise<void> {
  const store = new EventStore({ connectionString: url, app: 'lifecycle' });
  const WORKERS = 16;
  let next = 0;
  let done = 0;
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    while (next++ < sites) {
      const siteId = randomUUID();
      await store.append([{ streamId: `site/${siteId}`, expectedVersion: 0, messages: life(siteId, eventsEach) }]);
      done += eventsEach;
      if (done % 50_000 < eventsEach) onProgress(done);
    }
  }));
  await store.close();
}

export function life(siteId: string, events: number): NewMessage[] {
  const operationId = randomUUID();
  const meta = { ...META, causationId: randomUUID(), owner: 'owner-7' };
  const event = (type: NewMessage['type'], data: object) => ({ id: randomUUID(), kind: 'event', type, data, meta }) as NewMessage;
  const messages = [
    event('SiteRequested', { siteId, projectId: randomUUID(), operationId, ownerId: 'owner-7', name: `site-${siteId.slice(0, 8)}`, kind: 'static', runtime: 'files', hostId: 'local', hostname: 'x', address: '', subnet: '' }),
    event('SiteProvisioningStarted', { siteId, operationId }),
    event('SiteActivated', { siteId, operationId }),
  ];
  while (messages.length < events) {
    const releaseId = randomUUID();
    const content = { sha256: 'a'.repeat(64), sizeBytes: 12_345, format: 'tar.gz', fileCount: 12 };
    messages.push(event('SiteReleaseRequested', { siteId, operationId, releaseId, content }));
    messages.push(event('SiteReleaseStarted', { siteId, operationId, releaseId, content }));
    messages.push(event('SiteReleasePublished', { siteId, operationId, releaseId }));
  }
  return messages.slice(0, events);
}
