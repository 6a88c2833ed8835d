import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { rootPassword } from '../support/wordpress.js';

const REPO = 'hostplane-test/wordpress-broken';

/** WordPress with a line of shell run over it, under the name of a version of PHP. */
const broken = {
  '7.1': "printf '#!/bin/sh\\necho no PHP today >&2\\nexit 9\\n' > /usr/local/bin/php && chmod +x /usr/local/bin/php",
  '7.2': "printf '%s' \"<?php if (isset(\\$_SERVER['HTTP_X_FORWARDED_PROTO'])) { http_response_code(503); exit; } require __DIR__ . '/wp-blog-header.php'; define('WP_USE_THEMES', true);\" > /usr/src/wordpress/index.php",
  '7.3': "printf '#!/bin/sh\\necho out of order >&2\\nexit 7\\n' > /usr/local/bin/apache2-foreground",
} as const;

describeWithDocker('a WordPress site that cannot be launched', () => {
  let plane: Plane;
  let label: string;
  let neighbour: SiteView;
  const docker = new Docker();

  beforeAll(async () => {
    await docker.getImage(testImage('wordpress')).tag({ repo: REPO, tag: '8.3' });
    for (const [tag, line] of Object.entries(broken)) {
      const container = await docker.createContainer({ Image: testImage('wordpress'), Entrypoint: ['sh', '-ec'], Cmd: [line] });
      await container.start();
      expect(await container.wait()).toMatchObject({ StatusCode: 0 });
      await container.commit({ repo: REPO, tag, changes: 'ENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["apache2-foreground"]' });
      await container.remove({ v: true });
    }
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_WORDPRESS_IMAGE: `${REPO}:{php}`, HOSTPLANE_HEALTH_DEADLINE_SECONDS: '30' } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
    neighbour = await ended(await create('neighbour'));
    expect(neighbour.lastError ?? neighbour.status).toBe('ACTIVE');
  }, 120_000);
  afterAll(async () => {
    if (neighbour) await destroy(neighbour);
    const left = await labelled();
    await plane?.stop();
    for (const tag of ['8.3', ...Object.keys(broken)]) await docker.getImage(`${REPO}:${tag}`).remove({ force: true });
    expect(left).toEqual([]);
  }, 120_000);

  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)].sort();
  }
  async function create(name: string, phpVersion = '8.3'): Promise<SiteView> {
    const { status, body } = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'wordpress', phpVersion });
    expect([status, body]).toEqual([202, expect.objectContaining({ name })]);
    return body;
  }
  const ended = ({ id }: SiteView) => plane.api.settled(id, ['ACTIVE', 'FAILED'], 90_000);
  async function destroy({ id }: SiteView): Promise<void> {
    await plane.api.call('DELETE', `/sites/${id}`);
    await plane.api.settled(id, ['DESTROYED'], 60_000);
  }
  const first = async (role: string) => (await docker.listContainers({ filters: { label: [label, `hostplane.role=${role}`] } }))[0]!;
  const sql = async (statement: string, password: string): Promise<string> => {
    const { Id } = await first('database');
    const exec = await docker.getContainer(Id).exec({ Cmd: ['mariadb', '--no-defaults', '-uroot', '-NBe', statement], Env: [`MYSQL_PWD=${password}`], AttachStdout: true, AttachStderr: true });
    let said = '';
    for await (const chunk of await exec.start({})) said += String(chunk);
    return said;
  };
  const databases = async () => (await sql('SHOW DATABASES; SELECT user FROM mysql.user', await rootPassword(plane))).match(/hp_[a-z2-7]{26}/g)!.sort();
  const secretsMade = async () => (await plane.api.call<{ items: unknown[] }>('GET', '/events?format=json&type=SecretStored&limit=200')).body.items.length;

  /** Launches a site into a world that a step cannot work in; then nothing of it is left, the others live, and mended it goes well with the same secrets. */
  async function failsAt(step: string, reason: RegExp, site: SiteView, mend?: () => Promise<unknown>): Promise<void> {
    const failed = await ended(site);
    expect(failed).toMatchObject({ status: 'FAILED', lastError: expect.stringMatching(reason) });
    expect(failed.lastError).toMatch(new RegExp(`^${step}: `));
    expect((await visit(failed.url)).status).toBe(404);
    if (!mend) return destroy(site);
    const made = await secretsMade();
    await mend();
    const retried = await plane.api.call('POST', `/sites/${site.id}/retry`);
    await plane.operation(String(retried.body['operationId']), 'succeeded');
    expect([(await visit(failed.url)).status, await secretsMade()]).toEqual([200, made]);
    await destroy(site);
  }

  /** What there is, looked at before and after. */
  async function leavesNothing(work: () => Promise<void>): Promise<void> {
    const [things, names] = [await labelled(), await databases()];
    await work();
    expect([await labelled(), await databases()]).toEqual([things, names]);
    expect((await visit(neighbour.url)).status).toBe(200);
  }

  it('because its image is not there, its container ends at once, its installation fails, or its page is not there for visitors, all at once: each says so, and leaves nothing', async () => {
    await leavesNothing(async () => {
      const failures = [['9.9', 'workload', /wordpress-broken:9\.9/], ['7.3', 'workload', /ended with exit code[\s\S]*out of order/], ['7.1', 'install', /exit code 9[\s\S]*no PHP today/], ['7.2', 'page', /answers 503/]] as const;
      await Promise.all(failures.map(async ([php, step, reason]) => failsAt(step, reason, await create(`php-${php.replace('.', '-')}`, php))));
    });
  }, 180_000);

  it('because its address is taken: says so, leaves nothing, and goes well once it is free', async () => {
    await leavesNothing(async () => {
      const [network] = await docker.listNetworks({ filters: { label: [label] } });
      const near = Object.values((await first('workload')).NetworkSettings.Networks)[0]!.IPAddress;
      const address = (more: number) => near.replace(/\d+$/, (last) => String(Number(last) + more));
      const squatters = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(async (more) => {
        const squatter = await docker.createContainer({
          Image: testImage('static'), HostConfig: { NetworkMode: network!.Name },
          NetworkingConfig: { EndpointsConfig: { [network!.Name]: { IPAMConfig: { IPv4Address: address(more) } } } },
        });
        await squatter.start();
        return squatter;
      }));
      const free = () => Promise.all(squatters.splice(0).map((squatter) => squatter.remove({ force: true })));
      await failsAt('workload', /in use|address/i, await create('squatted'), free).finally(free);
    });
  }, 180_000);

  it('because root\'s password is not the database server\'s: says so, leaves nothing, and goes well once it is', async () => {
    await leavesNothing(async () => {
      const right = await rootPassword(plane);
      await sql("ALTER USER root@localhost IDENTIFIED BY 'another'", right);
      const mend = () => sql(`ALTER USER root@localhost IDENTIFIED BY '${right}'`, 'another');
      await failsAt('database', /Access denied/, await create('locked-out'), mend).finally(mend);
    });
  }, 180_000);

  it('because the database server is down and its image gone: says so, leaves nothing, and goes well once it is back', async () => {
    const things = await labelled();
    const { Id } = await first('database');
    await docker.getContainer(Id).pause();
    const site = await create('no-database');
    await failsAt('database', /database server|paused/, site, () => docker.getContainer(Id).unpause()).finally(() => docker.getContainer(Id).unpause().catch(() => undefined));
    expect(await labelled()).toEqual(things);
    expect((await visit(neighbour.url)).status).toBe(200);
  }, 180_000);

  it('because nginx refuses its configuration: says so, leaves nothing, and goes well once it does not', async () => {
    await leavesNothing(async () => {
      // A folder where nginx is to write: it opens the file each time that it reads a configuration.
      const log = join(plane.folder, 'edge', 'error.log');
      await rename(log, `${log}.aside`);
      await mkdir(log);
      const mend = () => rm(log, { recursive: true });
      await failsAt('route', /nginx[\s\S]*error\.log/, await create('refused'), mend).finally(() => rm(log, { recursive: true, force: true }));
    });
  }, 180_000);

  it('is none that only stands still with its database server: it is started with that', async () => {
    const switched = async (action: string) => plane.operation(String((await plane.api.call('POST', `/sites/${neighbour.id}/${action}`)).body['operationId']), 'succeeded');
    await switched('stop');
    await docker.getContainer((await first('database')).Id).stop({ t: 10 });
    await switched('start');
    expect((await visit(neighbour.url)).status).toBe(200);
  }, 120_000);
});
