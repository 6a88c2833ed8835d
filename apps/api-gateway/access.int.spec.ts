import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Problem } from '#api/problem.js';
import { API_BASE, type Route } from '#api/route.js';
import { routes } from '#api/routes.js';
import { describeRights, isProjectRight, may, roles, type Right, type Role } from '#domain/access/rights.js';
import { Api, type Reply } from '../../test/support/api.js';
import { TestGateway } from '../../test/support/gateway.js';
import { referencesOf, requestTo, type Reference } from '../../test/support/references.js';

jest.setTimeout(60_000);

/** What somebody has, by what a parameter may name: ids first, then names. */
type Belongings = Readonly<Record<string, readonly string[]>>;
interface SiteBody extends Record<string, unknown> {
  id: string;
  operationId: string;
  projectId: string;
}

let gateway: TestGateway;
let admin: Api;
let ann: Api;
let bob: Api;
let anns: Belongings;
/** What bob has, and what ann has beside the above: for the parameters that are not tried. */
let bobs: Belongings;
let annsOther: Belongings;

beforeAll(async () => {
  gateway = await TestGateway.start();
  admin = new Api(gateway.url + API_BASE, gateway.adminToken);
  [ann, bob] = [await personOf('ann'), await personOf('bob')];
  anns = await belongingsOf(ann, 'anns', 'mona');
  bobs = await belongingsOf(bob, 'bobs', 'maud');
  annsOther = await belongingsOf(ann, 'others', 'mia');
});
afterAll(() => gateway?.stop());

async function tokenFor(api: Api, body: object): Promise<string> {
  const { status, body: issued } = await api.call<{ token: string }>('POST', '/tokens', { name: 'test', ...body });
  expect(status).toBe(201);
  return issued.token;
}
const personOf = async (owner: string) => admin.as(await tokenFor(admin, { owner }));
const items = async (api: Api, path: string) => (await api.call<{ items: Record<string, unknown>[] }>('GET', path)).body.items;

async function projectOf(api: Api, name: string): Promise<string> {
  const { status, body } = await api.call('POST', '/projects', { name });
  expect(status).toBe(202);
  return String(body['id']);
}

async function siteIn(api: Api, projectId: string, name: string): Promise<SiteBody> {
  const { status, body } = await api.call<SiteBody>('POST', '/sites', { name, kind: 'static', projectId });
  expect(status).toBe(202);
  return body;
}

/** A project with everything that a parameter may name. Whoever adds a kind of resource makes one here. */
async function belongingsOf(api: Api, name: string, member: string): Promise<Belongings> {
  const projectId = await projectOf(api, `${name}-project`);
  const site = await siteIn(api, projectId, `${name}-site`);
  expect((await api.call('POST', `/projects/${projectId}/members`, { member, role: 'viewer' })).status).toBe(201);
  const backup = await api.call('POST', `/sites/${site.id}/backups`);
  expect(backup.status).toBe(202);
  expect((await api.call('PUT', `/projects/${projectId}/secrets/${name}-secret`, { generate: 20 })).status).toBe(200);
  const { tokenId, owner } = (await api.call<{ tokenId: string; owner: string }>('GET', '/session')).body;
  const domain = `${name}.example.com`;
  await gateway.attachDomain(domain, { siteId: site.id, projectId, ownerId: owner });
  for (const end = Date.now() + 30_000; Date.now() < end && (await api.call('GET', `/domains/${domain}`)).status !== 200; ) await sleep(20);
  return { backup: [String(backup.body['id'])], project: [projectId, `${name}-project`], site: [site.id, `${name}-site`], operation: [site.operationId], token: [tokenId], member: [member], domain: [domain], secret: [`${name}-secret`] };
}

const addMember = (api: Api, project: string, member: string, role: Role) => api.call('POST', `/projects/${project}/members`, { member, role });

describe('lists of somebody with many projects', () => {
  /** More than are each read by themselves. */
  const PROJECTS = 18;
  let eve: Api;
  const sites: { id: string; projectId: string }[] = [];
  const ids = async (path: string, api = eve) => (await items(api, path)).map(({ id }) => id);

  beforeAll(async () => {
    eve = await personOf('eve');
    const projects = [];
    for (let n = 0; n < PROJECTS; n++) projects.push(await projectOf(eve, `eves-${n}`));
    for (let n = 0; n < PROJECTS + 6; n++) sites.unshift(await siteIn(eve, projects[n % PROJECTS]!, `eves-site-${n}`));
  });

  it('are the newest of all of them, page by page', async () => {
    const seen: unknown[] = [];
    for (let next = ''; next !== 'end'; ) {
      const { body } = await eve.call<{ items: { id: string }[]; nextCursor?: string }>('GET', `/sites?limit=7${next && `&cursor=${next}`}`);
      seen.push(...body.items.map(({ id }) => id));
      next = body.nextCursor ?? 'end';
    }
    expect(seen).toEqual(sites.map(({ id }) => id));
  });
  it('hold what is rare too, and nothing of others', async () => {
    expect(await ids('/sites?limit=50')).toHaveLength(sites.length);
    expect(await ids('/sites?limit=3&name=eves-site-0')).toEqual([sites.at(-1)!.id]);
    expect(await ids('/sites?limit=3&kind=app')).toEqual([]);
    const { projectId } = sites.at(-1)!;
    const limited = eve.as(await tokenFor(eve, { projects: [projectId] }));
    expect(await ids('/sites?limit=1', limited)).toEqual([sites.find((site) => site.projectId === projectId)!.id]);
    expect(await ids('/operations?limit=200')).toHaveLength(sites.length + PROJECTS);
  });
  it('tell the same events whether they are read one project at a time or all at once', async () => {
    const events = async (path: string) => {
      const seen: { position: number; type: string }[] = [];
      for (let next = ''; next !== 'end'; ) {
        const { body } = await eve.call<{ items: typeof seen; nextCursor?: string }>('GET', `/events?format=json${path}${next && `&cursor=${next}`}`);
        seen.push(...body.items);
        next = body.nextCursor ?? 'end';
      }
      return seen;
    };
    const positions = async (path: string) => (await events(path)).map(({ position }) => position);
    const all = await positions('&limit=200');
    expect(await positions('&limit=7')).toEqual(all);
    expect(await positions('&limit=7&order=desc')).toEqual(all.toReversed());
    const ofProjects = new Set((await Promise.all([...new Set(sites.map(({ projectId }) => projectId))].map((id) => positions(`&limit=200&projectId=${id}`)))).flat());
    expect([...ofProjects].filter((position) => !all.includes(position))).toEqual([]);
    expect(new Set((await events('&limit=200')).flatMap(({ position, type }) => (ofProjects.has(position) ? [] : type)))).toEqual(new Set(['TokenIssued', 'NameClaimed']));
    expect(await positions('&limit=3&type=SiteDestroyed')).toEqual([]);
  });
  it('know each by its name', async () => {
    expect((await eve.call('GET', '/sites/eves-site-3')).body['id']).toBe(sites.at(-4)!.id);
    expect((await eve.call('GET', '/projects/eves-3')).body['id']).toBe(sites.at(-4)!.projectId);
    expect((await addMember(eve, sites.at(-4)!.projectId, 'bob', 'viewer')).status).toBe(201);
    expect((await bob.call('GET', '/sites/eves-site-3')).body['id']).toBe(sites.at(-4)!.id);
  });
});

describe('the walls', () => {
  const { references, unmarked } = referencesOf();
  const nobodys = ['00000000-0000-5000-8000-000000000000', 'nobodys'];

  it('know of each parameter whether it names something of somebody', () => expect(unmarked).toEqual([]));
  it('are tried at every kind of thing', () => {
    expect([...new Set(references.map(({ resource }) => resource))].sort()).toEqual(Object.keys(anns).sort());
  });

  /** Asks with each id and name, and with one that nobody has: the answers must be the same. */
  async function expectNotFound(api: Api, reference: Reference, own: Belongings): Promise<void> {
    const answers: [string, Reply<Problem & Record<string, unknown>>][] = [];
    for (const name of [...(anns[reference.resource] ?? []), ...nobodys]) {
      const { path, body } = requestTo(reference, name, (resource) => own[resource]?.[0] ?? 'missing');
      answers.push([name, await api.call(reference.method, path, body, { accept: 'application/json' })]);
    }
    const words = answers.map(([name, { status, body }]) => JSON.stringify({ ...body, status, requestId: '' }).replaceAll(name, 'NAME'));
    expect(answers.map(([name, { status, body }]) => [name, status, status === 404 ? '' : body.detail])).toEqual(answers.map(([name]) => [name, 404, '']));
    expect(new Set(words).size).toBe(1);
  }

  it.each(references.map((reference) => [reference.title, reference] as const))('%s: what is in somebody else\'s project is not there', async (_, reference) => {
    const before = (await gateway.events()).length;
    await expectNotFound(bob, reference, bobs);
    expect((await gateway.events()).length).toBe(before);
  });

  it.each(references.map((reference) => [reference.title, reference] as const))('%s: what is in another project than the token is for is not there', async (_, reference) => {
    const limited = ann.as(await tokenFor(ann, { projects: annsOther['project']!.slice(0, 1) }));
    const before = (await gateway.events()).length;
    await expectNotFound(limited, reference, annsOther);
    expect((await gateway.events()).length).toBe(before);
  });

  it('hide it from lists, pages of events and streams', async () => {
    const limited = ann.as(await tokenFor(ann, { projects: annsOther['project']!.slice(0, 1) }));
    for (const [who, own] of [[bob, 'bobs-site'], [limited, 'others-site']] as const) {
      const said = JSON.stringify(await Promise.all(['/sites', '/projects', '/operations', '/backups', '/tokens', '/events?format=json&limit=200'].map((path) => items(who, path))));
      // The token's id is told where it acted: in events of a project that the reader sees.
      const { token: _, member: __, ...hidden } = anns;
      for (const name of Object.values(hidden).flat()) expect(said).not.toContain(name);
      expect((await items(who, '/tokens?limit=200')).map(({ id }) => id)).not.toContain(anns['token']![0]);
      expect(said).toContain(own);
      expect((await who.call('GET', '/sites?all=true')).status).toBe(403);
    }
  });
});

describe('a member', () => {
  const denied = Object.entries<Route>(routes).flatMap(([name, route]) => roles.filter((role) => route.right !== 'none' && isProjectRight(route.right) && !may(role, route.right)).map((role) => [role, name, route] as const));
  const people = new Map<Role, Api>();
  beforeAll(async () => {
    for (const role of roles) {
      people.set(role, await personOf(`${role}-of-anns`));
      await addMember(ann, anns['project']![0]!, `${role}-of-anns`, role);
    }
  });

  it.each(denied)('who is %s is told the right that they lack: %s', async (role, name, { right }) => {
    const own = (resource: string) => anns[resource]![0]!;
    const reference = referencesOf().references.find((one) => one.operationId === name)!;
    const before = (await gateway.events()).length;
    const { path, body } = requestTo(reference, own(reference.resource), own);
    const reply = await people.get(role)!.call<Problem & Record<string, unknown>>(reference.method, path, body);
    expect([reply.status, reply.body.detail]).toEqual([403, expect.stringContaining(String(right))]);
    expect((await gateway.events()).length).toBe(before);
  });
  it('sees the project with what they are in it, its sites, operations and history', async () => {
    const viewer = people.get('viewer')!;
    expect((await viewer.call('GET', `/projects/${anns['project']![0]}`)).body).toMatchObject({ owner: 'ann', role: 'viewer' });
    expect((await viewer.call('GET', '/sites/anns-site')).body).toMatchObject({ id: anns['site']![0], owner: 'ann' });
    expect((await items(viewer, '/sites')).map(({ name }) => name)).toEqual(['anns-site']);
    expect(await items(viewer, '/operations')).not.toEqual([]);
    expect((await items(viewer, '/events?format=json&limit=200')).map(({ type }) => type)).toEqual(expect.arrayContaining(['ProjectRequested', 'SiteActivated', 'MemberAdded']));
    expect((await items(viewer, `/projects/anns-project/members`)).map(({ member }) => member)).toEqual(expect.arrayContaining(['ann', 'mona', 'viewer-of-anns']));
  });
  it('puts sites live for the project, under names of its founder', async () => {
    const developer = people.get('developer')!;
    const site = await siteIn(developer, 'anns-project', 'by-developer');
    expect(site).toMatchObject({ projectId: anns['project']![0], owner: 'ann' });
    expect((await ann.call('GET', '/sites/by-developer')).body).toMatchObject({ id: site.id });
    expect((await developer.call('DELETE', '/sites/by-developer')).body).toMatchObject({ code: 'forbidden' });
    expect((await people.get('admin')!.call('DELETE', '/sites/by-developer')).status).toBe(202);
  });
  it('has own names first, then those of others that are not two', async () => {
    const [carl, dora, eve] = [await personOf('carl'), await personOf('dora'), await personOf('eve')];
    const made = await Promise.all([carl, dora].map(async (one) => siteIn(one, await projectOf(one, 'same'), 'same')));
    await addMember(carl, 'same', 'eve', 'viewer');
    expect((await eve.call('GET', '/sites/same')).body).toMatchObject({ id: made[0]!.id });
    await addMember(dora, 'same', 'eve', 'viewer');
    for (const path of ['/sites/same', '/projects/same']) expect((await eve.call('GET', path)).body).toMatchObject({ code: 'conflict', detail: expect.stringMatching(/more than one.*[0-9a-f-]{36} or [0-9a-f-]{36}/) });
    expect((await eve.call('GET', `/sites/${made[1]!.id}`)).status).toBe(200);
    const own = await siteIn(eve, await projectOf(eve, 'same'), 'same');
    expect((await eve.call('GET', '/sites/same')).body).toMatchObject({ id: own.id });
  });
  it('changes, leaves and is gone, and the last owner stays', async () => {
    const fay = await personOf('fay');
    const project = await projectOf(ann, 'comings');
    await addMember(ann, project, 'fay', 'viewer');
    expect((await ann.call('PUT', `/projects/${project}/members/fay`, { role: 'owner' })).body).toMatchObject({ member: 'fay', role: 'owner' });
    expect((await fay.call('DELETE', `/projects/${project}/members/ann`)).status).toBe(200);
    expect((await ann.call('GET', `/projects/${project}`)).status).toBe(404);
    expect((await fay.call('DELETE', `/projects/${project}/members/fay`)).body).toMatchObject({ code: 'conflict', detail: expect.stringContaining('last owner') });
    await addMember(fay, project, 'ann', 'viewer');
    expect((await ann.call('DELETE', `/projects/${project}/members/ann`)).status).toBe(200);
    expect((await ann.call('GET', `/projects/${project}`)).status).toBe(404);
  });
});

describe('who watches', () => {
  /** Types of the events that come within a time. */
  async function watch(api: Api, query: string, forMs: number): Promise<string[]> {
    const response = await fetch(`${api.base}/events${query}`, { headers: { authorization: `Bearer ${api.token}`, accept: 'text/event-stream' }, signal: AbortSignal.timeout(forMs) });
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
    } catch {
      // The time is over.
    }
    return [...text.matchAll(/^event: (\w+)$/gm)].map(([, type]) => type!);
  }

  it('sees a project from when they are let in until they are let out', async () => {
    const gus = await personOf('gus');
    const project = await projectOf(ann, 'watched');
    const watching = watch(gus, '?type=SiteRequested,MemberAdded,MemberRemoved', 2_500);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await siteIn(ann, project, 'before-gus');
    await addMember(ann, project, 'gus', 'viewer');
    await siteIn(ann, project, 'with-gus');
    expect((await items(gus, '/events?format=json&type=SiteRequested')).map(({ data }) => (data as { name: string }).name)).toEqual(['before-gus', 'with-gus']);
    await ann.call('DELETE', `/projects/${project}/members/gus`);
    await siteIn(ann, project, 'after-gus');
    expect(await watching).toEqual(['MemberAdded', 'SiteRequested']);
    expect(await items(gus, '/events?format=json&type=SiteRequested')).toEqual([]);
  });
});

describe('a token', () => {
  it('for one project puts its sites there, and makes no other', async () => {
    const project = await projectOf(ann, 'only');
    const limited = ann.as(await tokenFor(ann, { projects: ['only'] }));
    expect((await limited.call('GET', '/session')).body).toMatchObject({ owner: 'ann', projects: [project] });
    expect((await limited.call<SiteBody>('POST', '/sites', { name: 'in-only', kind: 'static' })).body).toMatchObject({ projectId: project });
    expect((await limited.call('POST', '/projects', { name: 'another' })).body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('projects:create') });
    expect((await items(limited, '/projects')).map(({ name }) => name)).toEqual(['only']);
    expect((await items(limited, '/tokens'))).toEqual([expect.objectContaining({ projects: [project] })]);
  });
  it('with certain rights carries those, and seeing what they are about', async () => {
    const site = await siteIn(ann, 'anns-project', 'deployed');
    const limited = ann.as(await tokenFor(ann, { projects: ['anns-project'], verbs: ['sites:deploy'] }));
    expect((await limited.call('GET', '/sites/deployed')).status).toBe(200);
    expect((await limited.call('GET', `/operations/${site.operationId}`)).status).toBe(200);
    for (const [method, path] of [['POST', '/sites/deployed/stop'], ['DELETE', '/sites/deployed'], ['GET', '/projects/anns-project'], ['GET', '/tokens']] as const) {
      expect((await limited.call(method, path)).body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('limited to sites:deploy') });
    }
    expect((await limited.call('PUT', '/sites/deployed/content', new TextEncoder().encode('no archive'))).status).toBe(422);
  });
  it('hands out no more than it has', async () => {
    const limited = ann.as(await tokenFor(ann, { projects: ['anns-project'], verbs: ['sites:deploy', 'tokens:write'] }));
    const heir = limited.as(await tokenFor(limited, { scopes: ['read'] }));
    expect((await heir.call('GET', '/session')).body).toMatchObject({ projects: [anns['project']![0]], verbs: ['sites:deploy', 'tokens:write'], scopes: ['read'] });
    expect((await limited.call('POST', '/tokens', { name: 'x', verbs: ['sites:delete'] })).status).toBe(403);
    expect((await limited.call('POST', '/tokens', { name: 'x', projects: ['others-project'] })).status).toBe(404);
    expect((await limited.call('POST', '/tokens', { name: 'x', verbs: ['sites:read'] })).status).toBe(201);
    const wide = await ann.call<{ tokenId: string }>('GET', '/session');
    expect((await limited.call('DELETE', `/tokens/${wide.body.tokenId}`)).status).toBe(404);
    expect((await admin.as(await tokenFor(admin, { scopes: ['admin'], projects: [anns['project']![0]] })).call('GET', '/sites?all=true')).status).toBe(403);
  });
  it('has keys of its own', async () => {
    const limited = ann.as(await tokenFor(ann, { projects: annsOther['project']!.slice(0, 1) }));
    const body = { name: 'keyed', kind: 'static' };
    const first = await ann.call<SiteBody>('POST', '/sites', body, { 'idempotency-key': 'same-key' });
    const second = await limited.call<SiteBody>('POST', '/sites', { ...body, name: 'keyed-2' }, { 'idempotency-key': 'same-key' });
    expect([first.status, second.status, second.body.projectId]).toEqual([202, 202, annsOther['project']![0]]);
    expect(second.body.id).not.toBe(first.body.id);
  });
});

describe('a quota', () => {
  const app = (name: string, project: string) => ann.call<Record<string, unknown>>('POST', '/sites', { name, kind: 'app', image: 'a:1', port: 80, projectId: project });

  it('is shown with what is used, and says what is too much', async () => {
    const project = await projectOf(ann, 'small');
    expect((await ann.call('GET', `/projects/${project}`)).body).toMatchObject({ quota: { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null }, use: { sites: 0, memoryBytes: 0, cpuMillis: 0, diskBytes: 0 } });
    const set = await ann.call('PUT', `/projects/${project}/quota`, { sites: 2, memoryBytes: 600 * 1024 ** 2 });
    expect([set.status, set.body['quota']]).toEqual([200, { sites: 2, memoryBytes: 600 * 1024 ** 2, cpuMillis: null, diskBytes: null }]);
    const first = await app('small-1', project);
    expect((await app('small-2', project)).body).toMatchObject({ status: 409, code: 'quota-exceeded', detail: expect.stringContaining('memory: 512 MiB of 600 MiB are used, 512 MiB more were asked for') });
    await siteIn(ann, project, 'small-files');
    expect((await ann.call('GET', `/projects/${project}`)).body).toMatchObject({ use: { sites: 2, memoryBytes: 512 * 1024 ** 2, cpuMillis: 1000 } });
    expect((await ann.call('POST', '/sites', { name: 'small-3', kind: 'static', projectId: project })).body).toMatchObject({ code: 'quota-exceeded', detail: expect.stringContaining('sites: 2 of 2 are used, 1 more') });
    expect(first.status).toBe(202);
  });
  it('is set by those who may, and by who runs the plane', async () => {
    const project = await projectOf(ann, 'ruled');
    await addMember(ann, project, 'bob', 'developer');
    expect((await bob.call('PUT', `/projects/${project}/quota`, { sites: 0 })).body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('quota:write') });
    expect((await admin.call('PUT', `/projects/${project}/quota`, { sites: 0 })).body).toMatchObject({ quota: { sites: 0 } });
    expect((await app('ruled-1', project)).body).toMatchObject({ code: 'quota-exceeded' });
    expect((await ann.call('PUT', `/projects/${project}/quota`, {})).body).toMatchObject({ quota: { sites: null } });
    for (const wrong of [{ sites: -1 }, { sites: 1.5 }, { memory: 1 }, { cpuMillis: '1' }]) expect((await ann.call('PUT', `/projects/${project}/quota`, wrong)).status).toBe(422);
  });
});

describe('who runs the plane', () => {
  it('sees what is there, by its id, and changes nothing of it', async () => {
    const [project, site] = [anns['project']![0]!, anns['site']![0]!];
    for (const path of [`/projects/${project}`, `/sites/${site}`, `/operations/${anns['operation']![0]}`]) expect((await admin.call('GET', path)).status).toBe(200);
    expect(JSON.stringify(await items(admin, `/events?format=json&siteId=${site}`))).toContain('SiteActivated');
    expect((await admin.call('GET', '/sites/anns-site')).status).toBe(404);
    for (const [method, path] of [['POST', `/sites/${site}/stop`], ['DELETE', `/sites/${site}`], ['DELETE', `/projects/${project}`]] as const) expect((await admin.call(method, path)).body).toMatchObject({ code: 'forbidden' });
  });
});

describe('the document', () => {
  it('names the right of each route', () => {
    const known = describeRights().map(({ right }) => right);
    for (const [name, { scope, right }] of Object.entries<Route>(routes)) {
      // What only an operator may do needs no right, unless a token can be limited to it.
      const isBare = scope === 'none' || name === 'showSession' || (scope === 'admin' && right === 'none');
      expect([name, isBare ? right === 'none' : known.includes(right as Right)]).toEqual([name, true]);
    }
  });
});
