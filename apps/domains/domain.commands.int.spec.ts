import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readConfig } from '#boot/config.js';
import type { Cause } from '#contracts/message.js';
import { membersDecider, type MembersCommand } from '#domain/access/members.js';
import { routeDecider } from '#domain/route/route.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { Checks } from './checks.js';
import { DomainCommands } from './domain.commands.js';
import { domainsConfig } from './domains.config.js';
import { Records } from './records.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let [lifecycle, own]: EventStore[] = [];
let domains: DomainCommands;

beforeAll(async () => {
  database = await startPostgres();
  lifecycle = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
  own = new EventStore({ connectionString: database.urlOf('domains'), app: 'domains' });
  const settings = readConfig(domainsConfig, { HOSTPLANE_DOMAINS_DATABASE_URL: 'postgres://x', HOSTPLANE_DOMAINS_NATS_URL: 'nats://x' });
  domains = new DomainCommands(own, new Checks(own, { ask: () => Promise.resolve([]) }, settings, []), new Records(undefined, settings));
});
afterAll(async () => {
  await Promise.all([lifecycle?.close(), own?.close()]);
  await database.stop();
});

const by = (member: string): Cause => ({ id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann', member } });
const freshName = () => `d-${randomUUID()}.example.com`;

async function change(projectId: string, command: Pick<MembersCommand, 'type'> & { role?: string }): Promise<number> {
  const asked = { projectId, founderId: 'ann', by: 'ann', memberId: 'bob', role: '', ...command } as MembersCommand;
  return (await handle(lifecycle!, by('ann'), [on(membersDecider, projectId, asked)])).position;
}

/** A site that a name can be added to. */
async function liveSite(): Promise<string> {
  const siteId = randomUUID();
  const route = { operationId: randomUUID(), siteId, hostId: 'local', hostnames: [`${siteId}.localhost`], target: undefined, state: 'up', turn: 1 };
  await handle(own!, by('ann'), [on(routeDecider, siteId, { type: 'EnsureRoute', data: route })]);
  return siteId;
}

describe('what is asked of domains', () => {
  const add = (projectId: string, siteId: string, name: string, member: string) =>
    domains.add({ name, siteId, projectId, ownerId: 'ann', claimId: randomUUID(), redirectTo: '', redirectStatus: 0, byOperator: false }, by(member));

  it('is decided for the member on whose behalf it is asked, and for nobody else', async () => {
    const [projectId, siteId, name] = [randomUUID(), await liveSite(), freshName()];
    await expect(add(projectId, siteId, name, 'bob')).rejects.toMatchObject({ code: 'not-found' });
    await change(projectId, { type: 'AddMember', role: 'viewer' });
    await expect(add(projectId, siteId, name, 'bob')).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('sites:run') });
    await add(projectId, siteId, name, 'ann');
    for (const asked of [() => domains.check({ name, siteId }, by('bob')), () => domains.remove({ name, siteId }, by('bob'))]) await expect(asked()).rejects.toMatchObject({ code: 'forbidden' });
    expect((await own!.readStream(`domain/${name}`)).map(({ type }) => type)).toEqual(['DomainRequested']);
    await domains.remove({ name, siteId }, by('ann'));
  });

  it('lets nobody in who is removed at the same moment', async () => {
    let taken = 0;
    for (let round = 0; round < 10; round++) {
      const projectId = randomUUID();
      const wishes = await Promise.all(Array.from({ length: 8 }, async () => ({ siteId: await liveSite(), name: freshName() })));
      await change(projectId, { type: 'AddMember', role: 'developer' });
      const adding = wishes.map(({ siteId, name }) => add(projectId, siteId, name, 'bob'));
      const settled = Promise.allSettled(adding);
      // Every other time while they are under way, else when the first one has come through.
      await (round % 2 === 0 ? sleep(round) : Promise.any(adding));
      const [removed, asked] = await Promise.all([change(projectId, { type: 'RemoveMember' }), settled]);
      await expect(add(projectId, wishes[0]!.siteId, freshName(), 'bob')).rejects.toMatchObject({ code: 'not-found' });
      for (const [at, outcome] of asked.entries()) {
        const [claimed] = await own!.readStream(`domain/${wishes[at]!.name}`);
        if (outcome.status === 'rejected') expect([outcome.reason, claimed]).toEqual([expect.objectContaining({ code: 'not-found' }), undefined]);
        else expect(claimed!.position).toBeLessThan(removed);
        if (claimed) taken++;
      }
    }
    expect(taken).toBeGreaterThanOrEqual(5);
  });
});
