import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generate } from 'selfsigned';
import { readConfig } from '#boot/config.js';
import type { Cause, NewMessage } from '#contracts/message.js';
import type { MessageType } from '#contracts/registry.js';
import { membersDecider, type MembersCommand } from '#domain/access/members.js';
import { routeDecider } from '#domain/route/route.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { Authorities } from './authorities.js';
import { CertificateCommands } from './certificate.commands.js';
import { Checks } from './checks.js';
import { DomainCommands } from './domain.commands.js';
import { domainsConfig } from './domains.config.js';
import type { Issuance } from './issuance.js';
import { certificatePolicy } from './policy.js';
import { Records } from './records.js';
import { RouteCommands } from './route.commands.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let [lifecycle, own]: EventStore[] = [];
let domains: DomainCommands;
let routes: RouteCommands;
let certificates: CertificateCommands;
let chain: string;

beforeAll(async () => {
  database = await startPostgres();
  lifecycle = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
  own = new EventStore({ connectionString: database.urlOf('domains'), app: 'domains' });
  const settings = readConfig(domainsConfig, { HOSTPLANE_DOMAINS_DATABASE_URL: 'postgres://x', HOSTPLANE_DOMAINS_NATS_URL: 'nats://x' });
  const checks = new Checks(own, { ask: () => Promise.resolve([]) }, settings, []);
  domains = new DomainCommands(own, checks, new Records(undefined, settings));
  routes = new RouteCommands(own, checks);
  certificates = new CertificateCommands(own, new Authorities([], undefined), { policy: certificatePolicy(settings) } as Issuance);
  ({ cert: chain } = await generate([{ name: 'commonName', value: 'example.com' }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' }));
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

async function happen(store: EventStore, streamId: string, type: MessageType, data: object): Promise<void> {
  const { length } = await store.readStream(streamId);
  await store.append([{ streamId, expectedVersion: length, messages: [{ id: randomUUID(), kind: 'event', type, data, meta: by('ann').meta } as NewMessage] }]);
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

  it('says of a target that it is the target which cannot be', async () => {
    const wish = { siteId: await liveSite(), projectId: randomUUID(), ownerId: 'ann', claimId: randomUUID(), redirectStatus: 0, byOperator: false };
    await expect(domains.add({ ...wish, name: freshName(), redirectTo: '*.example.com' }, by('ann'))).rejects.toMatchObject({ code: 'invalid', field: 'redirectTo', message: expect.stringContaining('"*.example.com" cannot be the target of a redirect') });
    await expect(domains.add({ ...wish, name: '*.example.com', redirectTo: '' }, by('ann'))).rejects.toMatchObject({ code: 'invalid', field: 'name', message: expect.stringContaining('"*.example.com" cannot be a custom domain') });
  });

  it('is decided so of rules and certificates too, whatever the gateway let through', async () => {
    const [projectId, siteId, name] = [randomUUID(), await liveSite(), freshName()];
    await happen(lifecycle!, `site/${siteId}`, 'SiteRequested', { siteId, projectId, ownerId: 'ann' });
    await add(projectId, siteId, name, 'ann');
    await happen(own!, `domain/${name}`, 'DomainActivated', { name, siteId, claimId: '', status: 'active', tunnel: '' });
    const rules = { httpsOnly: true, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
    const asks: ((member: string) => Promise<unknown>)[] = [
      (member) => routes.changeRules({ siteId, changeId: randomUUID(), rules, fields: ['httpsOnly'], removedUsers: [], removedPages: [] }, by(member)),
      (member) => certificates.upload({ domain: name, siteId, chain, sealedKey: undefined }, by(member)),
    ];
    const late = [(member: string) => certificates.withdraw({ domain: name, siteId }, by(member))];
    for (const ask of asks) await expect(ask('bob')).rejects.toMatchObject({ code: 'not-found' });
    await change(projectId, { type: 'AddMember', role: 'viewer' });
    for (const ask of asks) await expect(ask('bob')).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('sites:run') });
    for (const ask of asks) await ask('ann');
    for (const ask of late) await expect(ask('bob')).rejects.toMatchObject({ code: 'forbidden' });
    await change(projectId, { type: 'ChangeMember', role: 'developer' });
    for (const ask of [...asks, ...late]) await ask('bob');
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
