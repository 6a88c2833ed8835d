import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { run } from '../../apps/cli/program.js';
import { testImage } from '../../infra/images/recipes.js';
import { Faults } from '../chaos/faults.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { S3StandIn } from '../support/s3-stand-in.js';

jest.setTimeout(180_000);

const FILLER_MIB = 24;
/**
 * Writes the same number to /data/a and then to /data/z, without a rest; between the two lies a file that takes a while to read. Read at one moment,
 * a is z or one more. What the data said when the container started is in /first. It ends when it is told to: a first process that does not hear it is killed after ten seconds only.
 */
const WRITER = `mkdir -p /data/tree/deep; [ -f /data/m ] || { dd if=/dev/urandom of=/data/m bs=1M count=${FILLER_MIB}; echo once > /data/tree/deep/file; chmod 640 /data/tree/deep/file; ln -s deep/file /data/tree/link; };
echo "$(cat /data/a) $(cat /data/z)" > /first; busybox ls -lR /data/tree | sed 's/^total.*//' > /tree;
i=$(cat /data/a || echo 0); (while true; do i=$((i+1)); echo $i > /data/.a; mv /data/.a /data/a; echo $i > /data/.z; mv /data/.z /data/z; done) &
trap 'exit 0' TERM; busybox httpd -f -p 8080 -h / & wait $!`;

interface BackupView extends Record<string, unknown> {
  readonly id: string;
  readonly status: string;
  readonly operationId: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly frozenMs: number;
}

describeWithDocker('backups', () => {
  let plane: Plane;
  let label: string;
  let site: SiteView;
  let backup: BackupView;
  const docker = new Docker();
  const faults = new Faults();
  const image = `hp-test-${randomUUID().slice(0, 8)}:1`;

  beforeAll(async () => {
    const container = await docker.createContainer({ Image: testImage('static') });
    const [repo, tag] = image.split(':');
    await container.commit({ repo, tag, changes: [`CMD ${JSON.stringify(['/bin/busybox', 'sh', '-c', WRITER])}`, 'VOLUME /data'].join('\n') });
    await container.remove();
    plane = await startPlane({ env: { ...faults.env, HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'embedded', HOSTPLANE_BACKUPS_KEPT: '3', HOSTPLANE_REDELIVERY_SECONDS: '1' } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
    site = await made({ name: 'writer', kind: 'app', image, port: 8080, healthPath: '/first', env: { KEY: 'planted-secret-value' } });
    await sleep(1_000);
  });
  afterAll(async () => {
    for (const { id, status } of (await plane?.api.call<{ items: SiteView[] }>('GET', '/sites'))?.body.items ?? []) {
      if (status === 'ACTIVE') await plane.api.call('DELETE', `/sites/${id}`).then(() => plane.api.settled(id, ['DESTROYED']));
    }
    const left = plane ? await labelled() : [];
    await plane?.stop();
    faults.remove();
    await docker.getImage(image).remove({ force: true });
    expect(left).toEqual([]);
  });

  async function made(body: object): Promise<SiteView> {
    const created = await plane.api.call<SiteView>('POST', '/sites', body);
    expect(created).toMatchObject({ status: 202 });
    await plane.operation(created.body.operationId, 'succeeded');
    return plane.api.site(created.body.id);
  }
  /** Asks for something and waits for how it ends. */
  async function done<T extends { operationId: string }>(method: string, path: string, body?: object, status = 'succeeded'): Promise<{ body: T; operation: Record<string, unknown> }> {
    const reply = await plane.api.call<T>(method, path, body);
    expect(reply).toMatchObject({ status: 202 });
    return { body: reply.body, operation: await plane.operation(reply.body.operationId, status, 120_000) };
  }
  const read = async (url: string, path: string) => (await visit(`${url}${path}`)).body.trim();
  const numbers = async (url: string, path: string) => (await read(url, path)).split(' ').map(Number) as [number, number];
  const shaOf = async (url: string, path: string) => createHash('sha256').update((await visit(`${url}${path}`)).body).digest('hex');
  const takeBackup = async (of = site.id) => (await plane.api.call<BackupView>('GET', `/backups/${(await done<BackupView>('POST', `/sites/${of}/backups`)).body.id}`)).body;
  const counts = async (url = site.url) => {
    const before = Number(await read(url, '/data/a'));
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(100)) if (Number(await read(url, '/data/a')) > before) return true;
    return false;
  };
  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name)];
  }
  const archives = () => (readdirSync(join(plane.folder, 'backups'), { recursive: true }) as string[]).filter((name) => statSync(join(plane.folder, 'backups', name)).isFile());
  const underWay = () => (existsSync(join(plane.folder, 'backups-under-way')) ? readdirSync(join(plane.folder, 'backups-under-way')) : []);
  const startedAt = async () => {
    const [found] = await docker.listContainers({ filters: { label: [label, `hostplane.site=${site.id}`] } });
    return (await docker.getContainer(found!.Id).inspect()).State.StartedAt;
  };

  it('are taken while the site is written to, and the site goes on', async () => {
    const before = await startedAt();
    backup = await takeBackup();
    expect(backup).toMatchObject({ status: 'taken', target: 'local', siteName: 'writer', kind: 'app', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(backup.sizeBytes).toBeGreaterThan(FILLER_MIB * 2 ** 20);
    const [name] = archives();
    const bytes = readFileSync(join(plane.folder, 'backups', name!));
    expect(bytes.includes('planted-secret-value')).toBe(false);
    expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([backup.sizeBytes, backup.sha256]);
    expect([await counts(), await startedAt()]).toEqual([true, before]);
    expect(underWay()).toEqual([]);
  });

  it('become a new site that equals the old one at one moment', async () => {
    const { body } = await done<SiteView>('POST', `/backups/${backup.id}/restore`, { name: 'copy' });
    const copy = await plane.api.settled(body.id, ['ACTIVE']);
    const [a, z] = await numbers(copy.url, '/first');
    expect(a).toBeGreaterThan(0);
    expect([0, 1]).toContain(a - z);
    expect(await shaOf(copy.url, '/data/m')).toBe(await shaOf(site.url, '/data/m'));
    expect(await read(copy.url, '/tree')).toContain('-rw-r-----');
    expect(await read(copy.url, '/data/tree/link')).toBe('once');
    const volumes = await plane.api.call<{ items: object[]; bytes: number }>('GET', `/sites/copy/volumes`);
    expect(volumes.body).toMatchObject({ items: [{ role: 'data', path: '/data', siteId: copy.id }] });
    expect(volumes.body.bytes).toBeGreaterThan(FILLER_MIB * 2 ** 20);
    expect((await plane.api.call<{ items: object[] }>('GET', `/projects/default/volumes`)).body.items).toHaveLength(2);
    await done('DELETE', `/sites/copy`);
  });

  it('bring the site back, and its data of today goes when the restored site is healthy', async () => {
    const [before] = [Number(await read(site.url, '/data/a'))];
    await done('POST', `/backups/${backup.id}/restore`);
    const [a, z] = await numbers(site.url, '/first');
    expect([a < before, [0, 1].includes(a - z)]).toEqual([true, true]);
    expect(await counts()).toBe(true);
    expect((await plane.api.call<{ items: object[] }>('GET', `/projects/default/volumes`)).body.items).toMatchObject([{ siteId: site.id }]);
    expect(await plane.api.site(site.id)).toMatchObject({ status: 'ACTIVE' });
  });

  it('are refused when they are damaged, before anything is touched', async () => {
    const [name] = archives();
    const file = join(plane.folder, 'backups', name!);
    const bytes = readFileSync(file);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length >> 1]! ^= 1;
    writeFileSync(file, damaged);
    const [running, there] = [await startedAt(), (await labelled()).sort()];
    const { operation } = await done('POST', `/backups/${backup.id}/restore`, {}, 'failed');
    expect(operation).toMatchObject({ failedStep: 'data', error: expect.stringMatching(/is damaged: its sha256 is .* Nothing was changed\./) });
    expect([await startedAt(), (await labelled()).sort(), await counts()]).toEqual([running, there, true]);
    writeFileSync(file, bytes);
  });

  it.each([
    ['a backup while the site stands still', 'docker:pause-container:done', 'backups'],
    ['a backup while it is stored', 'backup:rename', 'backups'],
    ['a restore while its volume is filled', 'docker:put-archive', 'restore'],
    ['a restore while the old site stands aside', 'docker:rename-container:done', 'restore'],
  ])('leave the site serving when the provisioner is killed in the middle of %s', async (_, point, what) => {
    faults.forget();
    faults.order({ process: 'provisioner', point, nth: 1 });
    await done('POST', what === 'restore' ? `/backups/${backup.id}/restore` : `/sites/${site.id}/backups`);
    expect(await faults.carriedOut()).toBe(true);
    expect([await counts(), (await plane.api.site(site.id)).status]).toEqual([true, 'ACTIVE']);
    expect((await labelled()).filter((name) => /upload|-old/.test(name))).toEqual([]);
    expect((await plane.api.call<{ items: object[] }>('GET', `/projects/default/volumes`)).body.items).toHaveLength(1);
    expect(underWay()).toEqual([]);
  });

  it('are kept as many as configured, and deleted on request', async () => {
    const listed = async () => (await plane.api.call<{ items: BackupView[] }>('GET', `/sites/${site.id}/backups`)).body.items.filter(({ status }) => status === 'taken');
    const newest = [await takeBackup(), await takeBackup()];
    for (const end = Date.now() + 30_000; Date.now() < end && archives().length > 3; ) await sleep(100);
    expect([(await listed()).length, archives().length]).toEqual([3, 3]);
    expect((await listed()).slice(0, 2).map(({ id }) => id)).toEqual(newest.toReversed().map(({ id }) => id));
    await done('DELETE', `/backups/${newest[0]!.id}`);
    expect([(await listed()).length, archives().length]).toEqual([2, 2]);
    expect((await plane.api.call('POST', `/backups/${newest[0]!.id}/restore`, { name: 'gone' })).status).toBe(409);
  });

  it('are taken before a site is destroyed, outlive it, and bring it back', async () => {
    const content = await tarGz({ 'index.html': 'what was there' });
    const old = await made({ name: 'pages', kind: 'static' });
    await plane.api.call('PUT', `/sites/${old.id}/content`, content);
    await done('DELETE', `/sites/pages?backup=true`);
    await plane.api.settled(old.id, ['DESTROYED']);
    const { items } = (await plane.api.call<{ items: BackupView[] }>('GET', '/backups')).body;
    const [last] = items.filter(({ siteName }) => siteName === 'pages');
    expect(last).toMatchObject({ status: 'taken', kind: 'static' });
    expect((await plane.api.call('POST', `/backups/${last!.id}/restore`)).status).toBe(409);
    await done('POST', `/backups/${last!.id}/restore`, { name: 'pages' });
    expect(await read((await plane.api.site('pages')).url, '/')).toBe('what was there');
  });

  it('are nobody else\'s', async () => {
    const stranger = plane.api.as('hp_nobody');
    expect((await stranger.call('GET', `/backups/${backup.id}`)).status).toBe(401);
    expect((await plane.api.call('GET', `/backups/${randomUUID()}`)).status).toBe(404);
  });
});

describe('backups on S3', () => {
  let plane: Plane;
  const storage = new S3StandIn();
  const faults = new Faults();
  beforeAll(async () => {
    await storage.start();
    const { endpoint, bucket, accessKey, secretKey } = storage;
    plane = await startPlane({ env: {
      ...faults.env, HOSTPLANE_DOCKER: 'off', HOSTPLANE_EDGE: 'embedded', HOSTPLANE_BACKUP_S3_ENDPOINT: endpoint, HOSTPLANE_BACKUP_S3_BUCKET: bucket,
      HOSTPLANE_BACKUP_S3_ACCESS_KEY: accessKey, HOSTPLANE_BACKUP_S3_SECRET_KEY: secretKey,
    } });
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'pages', kind: 'static' });
    await plane.operation(created.body.operationId, 'succeeded');
    await plane.api.call('PUT', '/sites/pages/content', await tarGz({ 'index.html': 'first' }));
  });
  afterAll(async () => {
    await plane?.stop();
    await storage.stop();
    faults.remove();
  });

  const cli = async (...argv: string[]) => {
    const said = { out: '', err: '' };
    const write = (to: 'out' | 'err') => (text: string) => void (said[to] += text);
    const env = { HOSTPLANE_URL: plane.api.base.replace(/\/api\/v1$/, ''), HOSTPLANE_TOKEN: plane.api.token };
    const code = await run(argv, { out: { write: write('out') }, err: { write: write('err'), isTTY: false }, in: Readable.from(['']), env });
    return { code, ...said };
  };

  it('go there and come back', async () => {
    const taken = await plane.api.call<BackupView>('POST', '/sites/pages/backups');
    await plane.operation(taken.body.operationId, 'succeeded');
    expect([...storage.objects.keys()]).toEqual([expect.stringMatching(new RegExp(`^hostplane/.*/${taken.body.id}\\.tar$`))]);
    await plane.api.call('PUT', '/sites/pages/content', await tarGz({ 'index.html': 'second' }));
    const back = await plane.api.call<SiteView>('POST', `/backups/${taken.body.id}/restore`);
    await plane.operation(back.body.operationId, 'succeeded');
    expect((await visit(back.body.url)).body).toBe('first');
  });

  it('are made, listed, restored and deleted on the command line', async () => {
    const made = await cli('backup', 'create', 'pages');
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/Status +taken\n.*On +s3\n/s) });
    const id = /Id +(\S+)/.exec(made.out)![1]!;
    expect((await cli('backup', 'list', '--site', 'pages')).out).toMatch(new RegExp(`^pages +taken +[0-9.]+ KiB +s3 .* ${id}$`, 'm'));
    expect((await cli('backup', 'show', id)).out).toContain('SHA-256');
    expect((await cli('site', 'volumes', 'pages')).out).toMatch(/^release +\S+ B/m);
    expect(await cli('backup', 'restore', id, '--as', 'pages-2')).toMatchObject({ code: 0, out: expect.stringMatching(/Restored +pages-2/) });
    expect(await cli('site', 'delete', 'pages-2', '--backup')).toMatchObject({ code: 0, out: expect.stringMatching(/Destroyed +pages-2/) });
    expect((await cli('backup', 'list')).out).toMatch(/^pages-2 +taken/m);
    expect(await cli('backup', 'delete', id)).toMatchObject({ code: 0, out: expect.stringMatching(/Deleted/) });
    expect((await cli('backup', 'restore', id)).code).toBe(3);
  });

  it('outlive their project, and become sites of another one', async () => {
    const asked = async (method: string, path: string, body?: object) => plane.operation(String((await plane.api.call(method, path, body)).body['operationId']), 'succeeded');
    await asked('POST', '/projects', { name: 'brief' });
    await asked('POST', '/sites', { name: 'leaflet', kind: 'static', projectId: 'brief' });
    await plane.api.call('PUT', '/sites/leaflet/content', await tarGz({ 'index.html': 'from another project' }));
    expect((await cli('site', 'delete', 'leaflet', '--backup')).code).toBe(0);
    const { id } = (await plane.api.call<{ items: BackupView[] }>('GET', '/backups')).body.items[0]!;
    expect((await cli('project', 'delete', 'brief')).code).toBe(0);
    expect(await cli('backup', 'restore', id, '--as', 'leaflet')).toMatchObject({ code: 3, err: expect.stringContaining('"brief" is deleted') });
    expect((await cli('backup', 'restore', id, '--project', 'default')).code).toBe(2);
    expect(await plane.api.call('POST', `/backups/${id}/restore`, { projectId: 'default' })).toMatchObject({ status: 422, body: { errors: [{ field: 'name' }] } });
    expect(await cli('backup', 'restore', id, '--as', 'leaflet', '--project', 'nope')).toMatchObject({ code: 4, err: expect.stringContaining('There is no project "nope"') });
    expect(await cli('backup', 'restore', id, '--as', 'leaflet', '--project', 'default')).toMatchObject({ code: 0, out: expect.stringMatching(/Restored +leaflet/) });
    expect((await visit((await plane.api.site('leaflet')).url)).body).toBe('from another project');
  });

  it('of a whole project are taken and brought back, site by site', async () => {
    await cli('project', 'create', 'team');
    const names = ['left', 'right'];
    for (const name of names) await cli('site', 'create', name, '--kind', 'static', '--project', 'team');
    const publish = async (text: string) => Promise.all(names.map(async (name) => plane.api.call('PUT', `/sites/${name}/content`, await tarGz({ 'index.html': text }))));
    const shown = async () => Promise.all(names.map(async (name) => (await visit((await plane.api.site(name)).url)).body));
    await publish('one');
    expect(await cli('project', 'backup', 'team')).toMatchObject({ code: 0, out: expect.stringMatching(/^right +accepted *\nleft +accepted *$/m) });
    const until = new Date().toISOString();
    await publish('two');
    await cli('project', 'backup', 'team');
    await publish('three');
    await cli('site', 'create', 'young', '--kind', 'static', '--project', 'team');
    expect(await cli('project', 'restore', 'team')).toMatchObject({ code: 0, out: expect.stringMatching(/^young +left-out +There is no backup of it\.$/m) });
    expect(await shown()).toEqual(['two', 'two']);
    expect(await cli('project', 'restore', 'team', '--until', until)).toMatchObject({ code: 0 });
    expect(await shown()).toEqual(['one', 'one']);
    await cli('site', 'stop', 'left');
    expect(await cli('project', 'restore', 'team')).toMatchObject({ code: 1, out: expect.stringMatching(/^left +refused +The site is stopped/m) });
    expect((await visit((await plane.api.site('right')).url)).body).toBe('two');
  });

  it('do not begin to read a site while the storage is away', async () => {
    await storage.stop();
    faults.forget();
    const reads = () => faults.passed().filter(({ point }) => point === 'backup:read').length;
    const { operationId } = (await plane.api.call<BackupView>('POST', '/sites/pages/backups')).body;
    await sleep(3_000);
    expect(reads()).toBe(0);
    await storage.start();
    await plane.operation(operationId, 'succeeded');
    expect(reads()).toBe(1);
  });

  it('fail with the reason when the bucket refuses, and leave nothing', async () => {
    const objects = [...storage.objects.keys()];
    Object.assign(storage, { bucket: 'another' });
    const taken = await plane.api.call<BackupView>('POST', '/sites/pages/backups');
    const operation = await plane.operation(taken.body.operationId, 'failed');
    expect(operation).toMatchObject({ failedStep: 'take', error: expect.stringMatching(/backups .*NoSuchBucket/) });
    expect((await plane.api.call('GET', `/backups/${taken.body.id}`)).body).toMatchObject({ status: 'failed', error: expect.stringMatching(/NoSuchBucket/) });
    expect([...storage.objects.keys()]).toEqual(objects);
    expect(await plane.api.site('pages')).toMatchObject({ status: 'ACTIVE', lastError: expect.stringMatching(/NoSuchBucket/) });
  });
});
