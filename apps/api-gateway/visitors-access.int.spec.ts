import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generate } from 'selfsigned';
import type { Problem } from '#api/problem.js';
import { API_BASE } from '#api/route.js';
import { domainDecider } from '#domain/domain-name/domain-name.js';
import { routeDecider } from '#domain/route/route.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { Api } from '../../test/support/api.js';
import { TestGateway } from '../../test/support/gateway.js';

jest.setTimeout(60_000);

const DOMAIN = 'shop.example.com';
const people = ['viewer', 'developer', 'admin', 'owner', 'stranger'] as const;
type Person = (typeof people)[number];

let gateway: TestGateway;
const apis = new Map<Person, Api>();
const bodies: Record<string, object | undefined> = { PATCH: { httpsOnly: true } };

/** A site with a domain that is active, and a person for each role. */
beforeAll(async () => {
  gateway = await TestGateway.start();
  const operator = new Api(gateway.url + API_BASE, gateway.adminToken);
  for (const person of people) {
    const { body } = await operator.call<{ token: string }>('POST', '/tokens', { name: 'test', owner: person });
    apis.set(person, operator.as(body.token));
  }
  const owner = apis.get('owner')!;
  const { body: project } = await owner.call<{ id: string }>('POST', '/projects', { name: 'shop' });
  const { body: site } = await owner.call<{ id: string }>('POST', '/sites', { name: 'shop', kind: 'static', projectId: project.id });
  for (const role of ['viewer', 'developer', 'admin'] as const) await owner.call('POST', `/projects/${project.id}/members`, { member: role, role });
  await gateway.attachDomain(DOMAIN, { siteId: site.id, projectId: project.id, ownerId: 'owner' });
  await gateway.inDomains(async (store) => {
    const cause = () => ({ id: randomUUID(), meta: { correlationId: 'test', causationId: 'test', actor: 'system:domains', owner: 'owner' } });
    const route = { operationId: randomUUID(), siteId: site.id, hostId: 'local', hostnames: ['shop.localhost'], target: undefined, state: 'up', turn: 1 };
    await handle(store, cause(), [on(routeDecider, site.id, { type: 'EnsureRoute', data: route })]);
    const { state, version } = await loadState(store, domainDecider, DOMAIN);
    const data = { name: DOMAIN, siteId: site.id, claimId: state.status === 'free' ? '' : state.claim.claimId, status: 'active', tunnel: '' };
    await store.append([{ streamId: `domain/${DOMAIN}`, expectedVersion: version, messages: [{ id: randomUUID(), kind: 'event', type: 'DomainActivated', data, meta: cause().meta }] }]);
  });
  for (const end = Date.now() + 30_000; Date.now() < end && (await owner.call('GET', `/domains/${DOMAIN}`)).status !== 200; ) await sleep(20);
  const { cert: chain, private: key } = await generate([{ name: 'commonName', value: DOMAIN }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: DOMAIN }] }] });
  bodies['PUT'] = { chain, key };
});
afterAll(() => gateway?.stop());

const change = { viewer: 403, developer: 202, admin: 202, owner: 202, stranger: 404 } as const;
/** Refused for what the certificate is, once the asker may do it. */
const refused = { ...change, developer: 409, admin: 409, owner: 409 } as const;
const look = { viewer: 200, developer: 200, admin: 200, owner: 200, stranger: 404 } as const;

/** Who is answered what, in this order: an upload comes before what is done with it. */
const table: readonly (readonly [method: string, path: string, answers: Readonly<Record<Person, number>>])[] = [
  ['GET', '/sites/SITE/edge', look],
  ['PATCH', '/sites/SITE/edge', change],
  ['PUT', `/domains/${DOMAIN}/certificate`, change],
  ['GET', `/domains/${DOMAIN}/certificate`, look],
  ['POST', `/domains/${DOMAIN}/certificate/renew`, refused],
  ['POST', `/domains/${DOMAIN}/certificate/revoke`, refused],
  ['DELETE', `/domains/${DOMAIN}/certificate`, change],
];
const siteOf = async () => String((await apis.get('owner')!.call('GET', '/sites/shop')).body['id']);

describe('the gateway by itself, while nobody answers behind it', () => {
  const changes = table.filter(([method]) => method !== 'GET');
  it.each(changes)('%s %s: turns away who may not, and takes on who may', async (method, path, answers) => {
    for (const person of people) {
      const { status } = await apis.get(person)!.call(method, path.replace('SITE', await siteOf()), bodies[method]);
      expect([person, status]).toEqual([person, answers[person] < 403 || answers[person] === 409 ? 503 : answers[person]]);
    }
  });
  afterAll(() => gateway.openDomains());
});

describe.each(table)('%s %s', (method, path, answers) => {
  it.each(people)('by %s is answered as their role has it, and changes nothing unless they may', async (person) => {
    const before = (await gateway.events()).filter(({ meta }) => meta.member === person).length;
    const { status, body } = await apis.get(person)!.call<Problem & Record<string, unknown>>(method, path.replace('SITE', await siteOf()), bodies[method]);
    expect([person, status, status === 403 ? body.detail : '']).toEqual([person, answers[person], answers[person] === 403 ? expect.stringContaining('sites:run') : '']);
    const changed = (await gateway.events()).filter(({ meta }) => meta.member === person).length > before;
    if (answers[person] !== 202) expect(changed).toBe(false);
  });
});

describe('the list of certificates', () => {
  it.each(people)('shows %s what they may see', async (person) => {
    const { status, body } = await apis.get(person)!.call<{ items: { domain: string }[] }>('GET', '/certificates');
    expect([status, body.items.map(({ domain }) => domain)]).toEqual([200, person === 'stranger' ? [] : [DOMAIN]]);
  });
});
