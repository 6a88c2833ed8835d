import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { run } from '../../apps/cli/program.js';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { EngineStack } from '../support/coolify-engine-stack.js';
import { describeWithCoolify } from '../support/coolify-spec.js';
import { COOLIFY_TOKEN, CoolifyStandIn } from '../support/coolify-stand-in.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { adminPassword, Author, PNG, secretOf } from '../support/wordpress.js';
import { databasePasswordKey } from '#domain/naming/naming.js';

/** Others for each run, so that runs beside each other do not meet. */
const FIRST = 32_000 + 100 * Math.floor(Math.random() * 6);
const REPO = 'hostplane-test/coolify-php';
/** An image that is there, and no WordPress. */
const BROKEN = '9.9';
const VERSIONS = ['8.3', '8.4', BROKEN];

describeWithDocker('with an engine behind it,', () => describeWithCoolify('WordPress at Coolify', () => {
  const docker = new Docker();
  let coolify: CoolifyStandIn;
  let plane: Plane;

  beforeAll(async () => {
    for (const tag of VERSIONS) await docker.getImage(testImage(tag === BROKEN ? 'app' : 'wordpress')).tag({ repo: REPO, tag });
    coolify = await CoolifyStandIn.start({ workMs: 50, lagMs: 100, makeStack: (uuid) => new EngineStack(uuid) });
    plane = await startPlane({
      env: {
        COOLIFY_API_URL: coolify.url, COOLIFY_API_TOKEN: COOLIFY_TOKEN, COOLIFY_PORTS: `${FIRST}-${FIRST + 99}`, HOSTPLANE_DOCKER: 'off', HOSTPLANE_WORDPRESS_IMAGE: `${REPO}:{php}`,
        HOSTPLANE_HEALTH_DEADLINE_SECONDS: '15', HOSTPLANE_DELIVERIES: '2', COOLIFY_REQUESTS_PER_MINUTE: '10000', HOSTPLANE_EDGE: 'nginx',
      },
    });
  }, 120_000);
  afterAll(async () => {
    await plane?.stop();
    await coolify?.close();
    for (const tag of VERSIONS) await docker.getImage(`${REPO}:${tag}`).remove();
  });

  const rows = () => [...coolify.stacks.rows.values()];
  async function cli(...args: string[]): Promise<{ code: number; said: string }> {
    const out: string[] = [];
    const write = (text: string) => out.push(text);
    const io = { out: { write }, err: { write }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    return { code: await run(args, io), said: out.join('') };
  }
  async function live(wish: object): Promise<SiteView> {
    const { status, body } = await plane.api.call<SiteView>('POST', '/sites', { kind: 'wordpress', ...wish });
    expect([status, body]).toEqual([202, expect.objectContaining({ kind: 'wordpress', runtime: 'coolify' })]);
    const site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED'], 120_000);
    expect(site.lastError ?? site.status).toBe('ACTIVE');
    return site;
  }
  async function change(site: SiteView, action: string): Promise<void> {
    const reply = await plane.api.call('POST', `/sites/${site.id}/${action}`);
    await plane.operation(String(reply.body['operationId']), 'succeeded', 120_000);
  }
  async function destroy({ id }: SiteView, query = ''): Promise<SiteView> {
    expect((await plane.api.call('DELETE', `/sites/${id}${query}`)).status).toBe(202);
    return plane.api.settled(id, ['DESTROYED', 'FAILED'], 60_000);
  }

  /** What it says up front of what cannot be had there. */
  async function saysWhatIsNot(site: SiteView): Promise<void> {
    expect(await plane.api.call('POST', `/sites/${site.id}/backups`)).toMatchObject({ status: 422, body: { code: 'unsupported', detail: expect.stringMatching(/"coolify" cannot be backed up/) } });
    expect(await plane.api.call('POST', `/sites/${site.id}/wp`, { arguments: ['plugin', 'list'] })).toMatchObject({ body: { code: 'unsupported', detail: expect.stringMatching(/no way in/) } });
    expect(await plane.api.call('POST', '/sites', { name: 'other', kind: 'wordpress', database: 'shared' })).toMatchObject({ status: 422, body: { errors: [expect.objectContaining({ field: 'database' })] } });
  }

  it('is live by one command, with its database, its title and its administrator; it stops, starts, restarts, is repaired, and says up front what cannot be had there', async () => {
    expect((await plane.api.call('POST', '/projects', { name: 'team' })).status).toBe(202);
    const created = await cli('site', 'create', 'blog', '--kind', 'wordpress', '--runtime', 'coolify', '--project', 'team', '--title', "Tom & Jerry's");
    expect([created.code, created.said]).toEqual([0, expect.stringContaining('blog')]);
    const site = await plane.api.site('blog');
    expect(site).toMatchObject({ status: 'ACTIVE', runtime: 'coolify', wordpress: { database: 'own' } });
    expect(await visit(site.url)).toMatchObject({ status: 200, body: expect.stringMatching(/<title>Tom &(amp|#038); Jerry/) });
    expect((await visit(`${site.url}/wp-admin/install.php`)).body).toContain('Already Installed');
    expect((await visit(site.url, { 'x-hostplane-version': '?' })).headers['set-cookie']).toBeUndefined();
    for (const [action, status] of [['stop', 503], ['start', 200], ['restart', 200], ['repair', 200]] as const) {
      await change(site, action);
      expect([action, (await visit(site.url)).status]).toEqual([action, status]);
    }
    expect(coolify.asked.filter((one) => /POST \/services\/\w+\/(re)?start/.test(one)).map((one) => /\w*start/.exec(one.split('/').at(-1)!)![0])).toEqual(['start', 'start', 'restart']);
    await saysWhatIsNot(site);
    await destroy(site);
    expect([await coolify.leftovers(), coolify.violations]).toEqual([expect.not.arrayContaining([expect.stringMatching(/service|volume|container|network/)]), []]);
  }, 300_000);

  it('keeps its posts and uploads with another PHP, through a failed one, and when its data is kept and restored; then nothing is left', async () => {
    const old = await live({ name: 'garden', title: 'My garden', phpVersion: '8.3' });
    const password = await adminPassword(plane, old);
    const author = (await Author.signIn(old.url, 'admin', password))!;
    expect((await author.dashboard()).body).toContain('My garden');
    const picture = await author.upload('rose.png', PNG);
    const post = await author.publish('Roses', `<p>They are <a href="${old.url}/about/">red</a>.</p><img src="${picture}">`);
    const imageOf = async () => (await docker.listContainers({ filters: { name: [`wordpress-${rows()[0]!.uuid}`] } }))[0]!.Image;
    expect(await imageOf()).toBe(`${REPO}:8.3`);

    const update = async (phpVersion: string) => String((await plane.api.call('PATCH', `/sites/${old.id}`, { phpVersion })).body['operationId']);
    await plane.operation(await update('8.4'), 'succeeded', 120_000);
    expect([await imageOf(), (await visit(post)).status, (await visit(picture)).headers['content-type']]).toEqual([`${REPO}:8.4`, 200, 'image/png']);

    await plane.operation(await update(BROKEN), 'failed', 180_000);
    expect([await imageOf(), (await visit(post)).status, (await plane.api.site(old.id)).lastError]).toEqual([`${REPO}:8.4`, 200, expect.stringMatching(/^workload: .*did not become healthy[\s\S]*docker-entrypoint\.sh: not found[\s\S]*The one before runs again/)]);

    expect(await destroy(old, '?keepData=true')).toMatchObject({ status: 'DESTROYED', isDataKept: true });
    expect((await coolify.leftovers()).map((name) => name.split(/[ -]/)[0]).sort()).toEqual(['destination', 'network', 'project', 'service', 'volume', 'volume']);
    const site = await live({ name: 'meadow', restoreFrom: old.id });
    const moved = (address: string) => address.replace(old.url, site.url);
    const page = await visit(moved(post));
    expect([page.status, page.body.includes(moved(picture)), page.body.includes('My garden'), page.body.includes(old.url)]).toEqual([200, true, true, false]);
    expect([(await visit(moved(picture))).headers['content-type'], await Author.signIn(site.url, 'admin', password)]).toEqual(['image/png', expect.anything()]);

    const databasePassword = await secretOf(plane, String(site['projectId']), databasePasswordKey(old.id));
    const said = [...rows().map(({ name, description, compose }) => [name, description, compose].join()), ...decoded(rows()[0]!.compose), JSON.stringify((await plane.api.call('GET', `/sites/${site.id}/events`)).body), JSON.stringify(coolify.asked), ...logs(plane.folder)];
    for (const container of await docker.listContainers({ filters: { name: [`-${rows()[0]!.uuid}`] } })) said.push((await docker.getContainer(container.Id).logs({ stdout: true, stderr: true, follow: false })).toString('latin1'));
    for (const value of [password, databasePassword]) expect(said.filter((text) => text.includes(value))).toEqual([]);
    expect(rows()[0]!.envs.map(({ value }) => value).sort()).toEqual([password, databasePassword].sort());

    await destroy(site);
    expect([(await coolify.leftovers()).filter((name) => !/^(project|destination)/.test(name)), coolify.violations]).toEqual([[], []]);
  }, 300_000);

  it('leaves nothing when it cannot be installed, says what PHP said, and a retry makes it with the same passwords', async () => {
    coolify.fail(/envs\/bulk/, 'status', { status: 422, times: 1 });
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'unlucky', kind: 'wordpress' });
    const failed = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'], 120_000);
    expect(failed.lastError).toMatch(/^workload: .*could not set the environment of the service/);
    expect([rows().map(({ name }) => name), (await coolify.leftovers()).filter((name) => /volume|network|container/.test(name))]).toEqual([[], []]);
    const password = await secretOf(plane, String(failed['projectId']), databasePasswordKey(failed.id));
    await change(failed, 'retry');
    expect([(await visit(failed.url)).status, rows()[0]!.envs.some(({ value }) => value === password)]).toEqual([200, true]);
    await destroy(failed);
    expect((await coolify.leftovers()).filter((name) => !/^(project|destination)/.test(name))).toEqual([]);
  }, 240_000);
}));

/** What a compose file carries as base64, and what is in that as base64 again. */
function decoded(compose: string): string[] {
  const found = [...compose.matchAll(/[A-Za-z0-9+/]{100,}={0,2}/g)].map(([blob]) => Buffer.from(blob, 'base64').toString());
  return found.flatMap((text) => [text, ...decoded(text)]);
}

const logs = (folder: string): string[] => readdirSync(join(folder, 'logs')).map((name) => readFileSync(join(folder, 'logs', name), 'utf8'));
