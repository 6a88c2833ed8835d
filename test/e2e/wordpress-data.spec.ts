import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { databasePasswordKey } from '#domain/naming/naming.js';
import { run } from '../../apps/cli/program.js';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { until } from '../support/bus.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { adminPassword, Author, PNG } from '../support/wordpress.js';

/** In the place of wp-cli: `core version` is WordPress' own, `flood` says many lines, `dense` much that takes more room on its way, `wait` says all of its input, `linger` takes its time; else it says what it was given, as whom, and where, and ends as it is told. */
const WP_CLI = [
  '#!/bin/sh',
  'case "$1" in',
  'core) exec php -r "require \\"/var/www/html/wp-includes/version.php\\"; echo \\$wp_version;" ;;',
  'flood) exec yes 0123456789 | head -n "$2" ;;',
  'dense) head -c "$2" /dev/zero | tr "\\0" "\\1" | tee /dev/stderr ;;',
  'wait) cat; echo "nothing more" ;;',
  'linger) sleep "$2" ;;',
  '*) for one in "$@"; do echo "[$one]"; done; id -u >&2; pwd; [ "$1" != end ] || exit "$2" ;;',
  'esac',
  '',
].join('\n');
/** One image under the names of two versions of PHP, the second with wp-cli. */
const VERSIONS = ['8.3', '8.4'];
const REPO = 'hostplane-test/wordpress-php';

describeWithDocker('the data of a WordPress site', () => {
  let plane: Plane;
  let label: string;
  const docker = new Docker();

  beforeAll(async () => {
    await docker.getImage(testImage('wordpress')).tag({ repo: REPO, tag: '8.3' });
    const container = await docker.createContainer({ Image: testImage('wordpress'), Entrypoint: ['sh', '-ec'], Cmd: ['printf %s "$WP_CLI" > /usr/local/bin/wp && chmod +x /usr/local/bin/wp'], Env: [`WP_CLI=${WP_CLI}`] });
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    await container.commit({ repo: REPO, tag: '8.4', changes: 'ENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["apache2-foreground"]' });
    await container.remove({ v: true });
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_WORDPRESS_IMAGE: `${REPO}:{php}`, HOSTPLANE_MEASURE_SECONDS: '1', HOSTPLANE_COMMAND_SECONDS: '8' } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
  });
  afterEach(async () => {
    const { body } = await plane.api.call<{ items: SiteView[] }>('GET', '/sites');
    for (const { id } of body.items) {
      await plane.api.call('DELETE', `/sites/${id}`);
      await plane.api.settled(id, ['DESTROYED'], 60_000);
    }
    expect(await labelled()).toEqual([]);
  });
  afterAll(async () => {
    await plane?.stop();
    for (const tag of VERSIONS) await docker.getImage(`${REPO}:${tag}`).remove();
  });

  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)];
  }
  async function live(wish: object): Promise<SiteView> {
    const { status, body } = await plane.api.call<SiteView>('POST', '/sites', { kind: 'wordpress', ...wish });
    expect([status, body]).toEqual([202, expect.objectContaining({ kind: 'wordpress' })]);
    const site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED'], 90_000);
    expect(site.lastError ?? site.status).toBe('ACTIVE');
    return site;
  }
  async function destroy({ id }: SiteView, query: string): Promise<SiteView> {
    expect((await plane.api.call('DELETE', `/sites/${id}${query}`)).status).toBe(202);
    return plane.api.settled(id, ['DESTROYED'], 60_000);
  }
  /** Whether a rebuild of the read model from the log would give what is there. */
  function compared(): { code: number | null; said: string } {
    const done = spawnSync(process.execPath, [join(import.meta.dirname, '../../dist/infra/start/operate.js'), 'compare'], { env: { ...process.env, HOSTPLANE_DATA: plane.folder, NO_COLOR: '1' }, encoding: 'utf8' });
    return { code: done.status, said: done.stdout + done.stderr };
  }
  const container = async () => (await docker.listContainers({ all: true, filters: { label: [label, 'hostplane.role=workload'] } }))[0]!;
  const database = async () => (await docker.listContainers({ all: true, filters: { label: [label, 'hostplane.role=database'] } }))[0]!;

  it('outlives the site on request: another one goes on with its posts, uploads, people and password, and links lead to itself', async () => {
    const old = await live({ name: 'first', title: 'My garden', adminUser: 'gardener', phpVersion: '8.4' });
    const password = await adminPassword(plane, old);
    expect(await Author.signIn(old.url, 'gardener', 'not-the-password')).toBeUndefined();
    const author = (await Author.signIn(old.url, 'gardener', password))!;
    expect((await author.dashboard()).body).toContain('My garden');
    const picture = await author.upload('rose.png', PNG);
    const post = await author.publish('Roses', `<p>They are <a href="${old.url}/about/">red</a>.</p><img src="${picture}">`);
    expect([picture.startsWith(`${old.url}/wp-content/uploads/`), (await visit(picture)).headers['content-type'], (await visit(post)).status]).toEqual([true, 'image/png', 200]);

    expect((await plane.api.call('POST', '/sites', { name: 'thief', kind: 'wordpress', restoreFrom: old.id })).status).toBe(409);
    expect(await destroy(old, '?keepData=true')).toMatchObject({ isDataKept: true });
    expect((await labelled()).map((name) => name.replace(/-[a-z0-9]{26}$/, '')).sort()).toEqual(['/hp-db', 'hp-data-first', 'hp-db-data', 'hp-db-secret', 'hp-db-socket']);

    const site = await live({ name: 'second', restoreFrom: old.id });
    expect(site).toMatchObject({ wordpress: { adminUser: 'gardener', phpVersion: '8.4' } });
    const moved = (address: string) => address.replace(old.url, site.url);
    const page = await visit(moved(post));
    expect([page.status, page.body.includes(moved(picture)), page.body.includes('My garden'), page.body.includes(old.url)]).toEqual([200, true, true, false]);
    expect((await visit(moved(picture))).headers['content-type']).toBe('image/png');
    expect([await adminPassword(plane, site), await Author.signIn(site.url, 'gardener', password)]).toEqual([password, expect.anything()]);
    expect((await plane.api.call('POST', '/sites', { name: 'third', kind: 'wordpress', restoreFrom: old.id })).body).toMatchObject({ detail: expect.stringMatching(/taken over/) });

    await destroy(site, '?keepData=true');
    const third = await live({ name: 'first', restoreFrom: site.id });
    expect((await visit(post)).status).toBe(200);
    await destroy(third, '');
    expect((await plane.api.call('POST', '/sites', { name: 'fourth', kind: 'wordpress', restoreFrom: third.id })).status).toBe(409);
  }, 240_000);

  it('stays with another version of PHP; an image that is not there changes nothing', async () => {
    const site = await live({ name: 'php', phpVersion: '8.3' });
    const author = (await Author.signIn(site.url, 'admin', await adminPassword(plane, site)))!;
    const post = await author.publish('Still here', 'text');
    expect((await container()).Image).toBe(`${REPO}:8.3`);
    const update = async (phpVersion: string) => String((await plane.api.call('PATCH', `/sites/${site.id}`, { phpVersion })).body['operationId']);
    await plane.operation(await update('8.4'), 'succeeded');
    expect([(await container()).Image, (await visit(post)).status, await plane.api.site(site.id)]).toEqual([`${REPO}:8.4`, 200, expect.objectContaining({ wordpress: expect.objectContaining({ phpVersion: '8.4' }) })]);
    await plane.operation(await update('9.9'), 'failed');
    const after = await plane.api.site(site.id);
    expect([after.status, after.lastError, (await visit(post)).status, (await container()).Image]).toEqual(['ACTIVE', expect.stringMatching(/^workload: .*wordpress-php:9\.9/), 200, `${REPO}:8.4`]);
  }, 180_000);

  /** Has work fall due in a site; what it gives back waits until it was done. */
  async function timedWork(): Promise<() => Promise<void>> {
    const { Id } = await container();
    const php = async (code: string) => {
      const exec = await docker.getContainer(Id).exec({ Cmd: ['php', '-r', `require '/var/www/html/wp-load.php'; ${code}`], AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({});
      let said = '';
      for await (const chunk of stream) said += String(chunk);
      return said;
    };
    const due = "echo count(array_filter(_get_cron_array(), fn($at) => $at < time(), ARRAY_FILTER_USE_KEY));";
    // Work that WordPress does not plan by itself, or this would be no more than that; in one go, for its turn may come at any moment.
    expect(await php(`wp_schedule_single_event(time() - 60, 'hostplane_test'); ${due}`)).toMatch(/[1-9]$/);
    return () => until('nothing is due any more', async () => (await php(due)).endsWith('0'), 90_000);
  }

  it('is open to wp-cli where the image has it, with each argument as it was given; its timed work is done, a minute later at most', async () => {
    const site = await live({ name: 'tools', phpVersion: '8.4' });
    const workIsDone = await timedWork();
    const args = ['post', 'create', '--post_title=a "b" $(id) \'c\'', '; rm -rf /'];
    const ran = await plane.api.call('POST', `/sites/${site.id}/wp`, { arguments: args });
    expect(ran).toMatchObject({ status: 200, body: { exitCode: 0, stdout: `${args.map((one) => `[${one}]`).join('\n')}\n/var/www/html\n`, stderr: '33\n', isCut: false } });
    const wp = async (...given: string[]) => (await plane.api.call('POST', `/sites/${site.id}/wp`, { arguments: given })).body as { exitCode: number; stdout: string; stderr: string; isCut: boolean };
    const told = (await plane.api.call<{ items: { type: string; data: object; meta: { actor: string } }[] }>('GET', `/sites/${site.id}/events?format=json&type=CommandStarted,CommandEnded`)).body.items;
    expect(told).toMatchObject([
      { type: 'CommandStarted', data: { siteId: site.id, program: 'wp post create' }, meta: { actor: expect.stringMatching(/^token:/) } },
      { type: 'CommandEnded', data: { siteId: site.id, exitCode: 0, error: '' } },
    ]);
    expect(JSON.stringify(told)).not.toContain('post_title');
    const keyed = () => plane.api.call('POST', `/sites/${site.id}/wp`, { arguments: ['core', 'version'] }, { 'idempotency-key': 'once-only' });
    expect([(await keyed()).status, await keyed()]).toEqual([200, expect.objectContaining({ status: 409, body: expect.objectContaining({ detail: expect.stringMatching(/"wp core version" was run for this request already/) }) })]);
    expect(await wp('core', 'version')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+(\.\d+)?$/) });
    expect(await wp('wait')).toMatchObject({ exitCode: 0, stdout: 'nothing more\n' });
    const most = await wp('flood', '10000');
    expect([most.exitCode, most.stdout === '0123456789\n'.repeat(10_000), most.isCut]).toEqual([0, true, false]);
    const more = await wp('flood', '1000000');
    expect([more.exitCode, more.stdout === '0123456789\n'.repeat(20_000).slice(0, 200_000), more.isCut]).toEqual([0, true, true]);
    expect(await wp('dense', '300000')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\u0001{70000}/), stderr: expect.stringMatching(/^\u0001{70000}/), isCut: true });
    for (const code of [126, 127]) expect(await wp('end', String(code))).toMatchObject({ exitCode: code, stdout: expect.stringContaining('[end]') });
    const [out, err]: [string[], string[]] = [[], []];
    const io = { out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => err.push(text) }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    expect([await run(['wp', 'tools', '--', 'end', '4', '--json'], io), out.join(''), err.join('')]).toEqual([1, '[end]\n[4]\n[--json]\n/var/www/html\n', expect.stringMatching(/33[\s\S]*exit code 4/)]);
    const cli = async (input: string, ...argv: string[]) => {
      for (const said of [out, err]) said.length = 0;
      return [await run(['wp', 'tools', ...argv], { ...io, in: Readable.from([Buffer.from(input)]) }), out.join(''), err.join('')];
    };
    const sql = "INSERT INTO t VALUES ('Grüße', \"$HOME\", '\\n');\n".repeat(2_000);
    for (const argv of [['--input', '-', '--', 'wait'], ['--', 'wait', '-']]) expect(await cli(sql, ...argv)).toEqual([0, `${sql}nothing more\n`, '']);
    expect(await cli(sql, '--', 'wait')).toEqual([0, 'nothing more\n', '']);
    expect(await cli(sql, '--', 'export', '-')).toEqual([0, '[export]\n[-]\n/var/www/html\n', '33\n']);
    expect(await cli('x'.repeat(524_289), '--input', '-', 'wait')).toEqual([2, '', expect.stringMatching(/more than 512\.0 KiB/)]);
    expect(await cli('', 'flood', '1000000')).toEqual([1, expect.stringMatching(/^0123456789\n/), expect.stringMatching(/said more than can be shown/)]);
    expect(await cli('', 'linger', '14')).toEqual([1, '', expect.stringMatching(/"wp linger" has not ended after 8 s, and goes on/)]);
    const recorded = async () => {
      const { items } = (await plane.api.call<{ items: { data: { commandId: string; program?: string } }[] }>('GET', `/sites/${site.id}/events?format=json&limit=200&type=CommandStarted,CommandEnded`)).body;
      const lingering = items.find(({ data }) => data.program === 'wp linger');
      return items.filter(({ data }) => data.commandId === lingering?.data.commandId).length;
    };
    expect(await recorded()).toBe(1);
    await until('its end is recorded', async () => (await recorded()) === 2);
    await workIsDone();
    expect((await visit(site.url)).status).toBe(200);
    await plane.operation(String((await plane.api.call('PATCH', `/sites/${site.id}`, { phpVersion: '8.3' })).body['operationId']), 'succeeded');
    expect((await plane.api.call('POST', `/sites/${site.id}/wp`, { arguments: ['plugin', 'list'] })).body).toMatchObject({ code: 'unsupported', detail: expect.stringMatching(/no wp-cli/) });
  }, 240_000);

  it('counts for the quota of its project, as the list of its volumes says, until it is gone; what does not fit is refused', async () => {
    const MIB = 1024 ** 2;
    interface Project { readonly id: string; readonly use: { readonly memoryBytes: number; readonly cpuMillis: number; readonly diskBytes: number; readonly uploadBytes: number; readonly writtenBytes: number } }
    const projectId = (await plane.api.call<Project>('POST', '/projects', { name: 'counted' })).body.id;
    const use = async () => (await plane.api.call<Project>('GET', `/projects/${projectId}`)).body.use;
    const volumes = async () => (await plane.api.call<{ items: { role: string; bytes: number; siteId?: string }[]; writtenBytes: number }>('GET', `/projects/${projectId}/volumes`)).body;
    const agree = async () => until('the use is what the list says', async () => (await volumes()).writtenBytes === (await use()).writtenBytes, 10_000);
    const site = await live({ name: 'counted', projectId, database: 'own' });
    expect(await use()).toMatchObject({ memoryBytes: (512 + 1024) * MIB, cpuMillis: 3000, uploadBytes: 0 });
    await until('what was installed is counted', async () => (await use()).writtenBytes > MIB, 15_000);
    const before = (await use()).writtenBytes;
    const { Id } = await container();
    const exec = await docker.getContainer(Id).exec({ Cmd: ['sh', '-c', 'mkdir -p wp-content/uploads && dd if=/dev/urandom of=wp-content/uploads/film bs=1M count=8'], User: '33:33', AttachStdout: true, AttachStderr: true });
    for await (const chunk of await exec.start({})) void chunk;
    await until('the film is counted', async () => (await use()).writtenBytes >= before + 7 * MIB, 15_000);
    await agree();
    const found = await volumes();
    expect([found.items.map(({ role }) => role).sort(), found.items.every(({ siteId }) => siteId === site.id), found.items.every(({ bytes }) => bytes > 100_000)]).toEqual([['data', 'database'], true, true]);

    await plane.api.call('PUT', `/projects/${projectId}/quota`, { diskBytes: found.writtenBytes + 100 });
    const pages = (await plane.api.call<SiteView>('POST', '/sites', { name: 'pages', kind: 'static', projectId })).body;
    await plane.api.settled(pages.id, ['ACTIVE']);
    const upload = await plane.api.call('PUT', `/sites/${pages.id}/content`, await tarGz({ 'index.html': randomBytes(2_000).toString('hex') }));
    expect(upload).toMatchObject({ status: 409, body: { code: 'quota-exceeded', detail: expect.stringMatching(/disk: [\d.]+ MiB of .* are used \(0 bytes by uploads, [\d.]+ MiB written by sites\), [\d.]+ (KiB|bytes) more were asked for/) } });
    await plane.api.call('PUT', `/projects/${projectId}/quota`, { diskBytes: MIB });
    const another = { name: 'another', kind: 'wordpress', projectId };
    expect(await plane.api.call('POST', '/sites', another)).toMatchObject({ status: 409, body: { code: 'quota-exceeded', detail: expect.stringMatching(/disk: .* of 1 MiB are used .* nothing is left/) } });
    expect((await visit(site.url)).status).toBe(200);
    const out: string[] = [];
    const io = { out: { write: (text: string) => out.push(text) }, err: { write: () => undefined }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    expect([await run(['project', 'quota', 'counted'], io), await run(['project', 'volumes', 'counted'], io), out.join('')]).toEqual([0, 0, expect.stringMatching(/Disk +[\d.]+M of 1M \(0 by uploads, [\d.]+M written by sites\)[\s\S]*^database .*hp_/m)]);

    await destroy(site, '?keepData=true');
    expect(await use()).toMatchObject({ memoryBytes: 1024 * MIB, cpuMillis: 2000 });
    await agree();
    expect([(await use()).writtenBytes > before, (await volumes()).items.filter(({ siteId }) => siteId === undefined).length]).toEqual([true, 2]);
    const heir = await live({ name: 'heir', projectId, restoreFrom: site.id });
    expect(compared()).toMatchObject({ code: 0, said: expect.stringContaining('equal to the log') });
    await destroy(heir, '');
    expect(await use()).toMatchObject({ memoryBytes: 0, cpuMillis: 0, diskBytes: 0, writtenBytes: 0 });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect([await use(), await volumes(), compared().code]).toMatchObject([{ diskBytes: 0 }, { writtenBytes: 0 }, 0]);
    expect((await plane.api.call('POST', '/sites', another)).status).toBe(202);
    await plane.api.settled((await plane.api.site('another')).id, ['ACTIVE'], 90_000);
  }, 240_000);

  it('that was kept is discarded on request: nothing of it is left or counted, and nobody can begin with it any more', async () => {
    interface Project { readonly id: string; readonly operationId: string; readonly use: { readonly diskBytes: number; readonly writtenBytes: number; readonly memoryBytes: number } }
    const { id: projectId } = (await plane.api.call<Project>('POST', '/projects', { name: 'left' })).body;
    const use = async () => (await plane.api.call<Project>('GET', `/projects/${projectId}`)).body.use;
    const site = await live({ name: 'leaver', projectId, database: 'own' });
    await until('what was installed is counted', async () => (await use()).writtenBytes > 1024 ** 2, 15_000);
    const asked = (method: string, path: string, body?: object) => plane.api.call<{ detail?: string; operationId: string; status: number }>(method, path, body);
    expect((await asked('DELETE', `/sites/${site.id}/data`)).body).toMatchObject({ status: 409, detail: expect.stringMatching(/ACTIVE: only the data of one that was destroyed/) });
    expect(await destroy(site, '?keepData=true')).toMatchObject({ isDataKept: true, leftData: 'kept' });
    expect((await asked('DELETE', `/projects/${projectId}`)).body).toMatchObject({ status: 409, detail: expect.stringMatching(/the data of 1 destroyed site/) });
    const secret = encodeURIComponent(databasePasswordKey(site.id));
    expect((await asked('DELETE', `/projects/${projectId}/secrets/${secret}`)).body).toMatchObject({ status: 409 });
    const volumes = async () => (await plane.api.call<{ items: { leftBy?: string }[] }>('GET', `/projects/${projectId}/volumes`)).body.items;
    expect((await volumes()).map(({ leftBy }) => leftBy)).toEqual([site.id, site.id]);

    let shown = '';
    const io = () => ({ out: { write: (text: string) => void (shown += text) }, err: { write: () => undefined }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } });
    expect([await run(['site', 'list', '--kept-data', '--project', 'left'], io()), shown]).toEqual([0, expect.stringMatching(new RegExp(`leaver +wordpress +kept +\\d+\\.\\d MiB .*${site.id}`))]);
    const [data] = (await docker.listVolumes({ filters: { label: [label, 'hostplane.role=data'] } })).Volumes;
    const holder = await docker.createContainer({ Image: testImage('static'), HostConfig: { Binds: [`${data!.Name}:/held`] } });
    const stuck = (await asked('DELETE', `/sites/${site.id}/data`)).body.operationId;
    expect(await plane.operation(stuck, 'failed')).toMatchObject({ kind: 'discard-wordpress-data', failedStep: 'workload', error: expect.stringMatching(/volume is in use/), undone: [] });
    expect(await plane.api.site(site.id)).toMatchObject({ status: 'DESTROYED', leftData: 'discarding', lastError: expect.stringMatching(/^workload: .*volume is in use/) });
    expect((await asked('POST', '/sites', { name: 'heir', kind: 'wordpress', restoreFrom: site.id })).body).toMatchObject({ status: 409, detail: expect.stringMatching(/a part of it may be gone/) });
    await holder.remove();
    expect(await run(['site', 'discard-data', 'leaver'], io())).toBe(0);
    expect(await plane.api.site(site.id)).toMatchObject({ status: 'DESTROYED', leftData: 'gone' });
    expect(await labelled()).toEqual([]);
    expect([await use(), await volumes()]).toMatchObject([{ diskBytes: 0, writtenBytes: 0, memoryBytes: 0 }, []]);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect([await use(), compared().code]).toMatchObject([{ diskBytes: 0 }, 0]);

    expect((await asked('POST', '/sites', { name: 'heir', kind: 'wordpress', restoreFrom: site.id })).body).toMatchObject({ status: 409, detail: expect.stringMatching(/is gone: it went with it, or was discarded/) });
    expect((await asked('DELETE', `/sites/${site.id}/data`)).body).toMatchObject({ status: 409, detail: expect.stringMatching(/is gone/) });
    await until('its passwords are forgotten', async () => !JSON.stringify((await asked('GET', `/projects/${projectId}/secrets`)).body).includes(site.id), 15_000);
    expect((await asked('DELETE', `/projects/${projectId}/secrets/${secret}`)).status).toBe(404);
    await plane.operation((await asked('DELETE', `/projects/${projectId}`)).body.operationId, 'succeeded');
  }, 240_000);

  it('is there again by itself when the database server, and when everything, was killed', async () => {
    const site = await live({ name: 'killed' });
    const status = async () => (await visit(site.url)).status;
    await docker.getContainer((await database()).Id).kill();
    expect(await status()).toBe(500);
    await docker.getContainer((await database()).Id).start();
    await until('the site is back after its database server', async () => (await status()) === 200, 30_000);
    for (const { Id } of [await container(), await database()]) await docker.getContainer(Id).restart({ t: 0 });
    await until('the site is back after everything', async () => (await status()) === 200, 30_000);
  }, 180_000);
});
