import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { readBackup } from '#content/backup-archive.js';
import { wordpressDatabase } from '#domain/naming/naming.js';
import { Faults } from '../chaos/faults.js';
import { visit, type SiteView } from '../support/api.js';
import { until } from '../support/bus.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { S3StandIn } from '../support/s3-stand-in.js';
import { adminPassword, Author, PNG, rootPassword } from '../support/wordpress.js';

jest.setTimeout(240_000);

/** What differs between two looks at a site that nobody changed: sessions, passwords, what is remembered for a while. */
const STEADY = ['posts', 'postmeta', 'comments', 'commentmeta', 'terms', 'termmeta', 'term_taxonomy', 'term_relationships', 'links'].map((name) => `wp_${name}`);
/** Marks of posts whose links are still to be pinged: WordPress' timed work takes them away by itself, on the one side or the other first. */
const UNMARK = "DELETE FROM wp_postmeta WHERE meta_key IN ('_pingme', '_encloseme');";

interface BackupView extends Record<string, unknown> {
  readonly id: string;
  readonly operationId: string;
  readonly sha256: string;
  readonly frozenMs: number;
}

describeWithDocker('backups of WordPress', () => {
  let plane: Plane;
  let label: string;
  let site: SiteView;
  let password: string;
  let root: string;
  let author: Author;
  let backup: BackupView;
  let before: string;
  const docker = new Docker();
  const faults = new Faults();
  const storage = new S3StandIn();

  beforeAll(async () => {
    await storage.start();
    const { endpoint, bucket, accessKey, secretKey } = storage;
    plane = await startPlane({ env: {
      ...faults.env, HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_BACKUPS_KEPT: '4',
      HOSTPLANE_BACKUP_S3_ENDPOINT: endpoint, HOSTPLANE_BACKUP_S3_BUCKET: bucket, HOSTPLANE_BACKUP_S3_ACCESS_KEY: accessKey, HOSTPLANE_BACKUP_S3_SECRET_KEY: secretKey,
    } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'journal', kind: 'wordpress', title: 'My garden' });
    site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'], 90_000);
    expect(site.lastError ?? site.status).toBe('ACTIVE');
    [password, root] = [await adminPassword(plane, site), await rootPassword(plane)];
    author = (await Author.signIn(site.url, 'admin', password))!;
    const picture = await author.upload('rose.png', PNG);
    before = await author.publish('Before', `<p><a href="${site.url}/about/">me</a></p><img src="${picture}">`);
    await php(site, `update_option('planted', ['deep' => ['${site.url}/x', 'Grüße'], 'n' => 5]);`);
  });
  afterAll(async () => {
    for (const { id, status } of (await plane?.api.call<{ items: SiteView[] }>('GET', '/sites'))?.body.items ?? []) {
      if (status !== 'DESTROYED') await plane.api.call('DELETE', `/sites/${id}`).then(() => plane.api.settled(id, ['DESTROYED']));
    }
    const left = plane ? await labelled() : [];
    await plane?.stop();
    await storage.stop();
    faults.remove();
    expect(left).toEqual([]);
  });

  /** Asks for something and waits for how it ends. */
  async function done<T extends { operationId: string }>(method: string, path: string, body?: object, status = 'succeeded'): Promise<{ body: T; operation: Record<string, unknown> }> {
    const reply = await plane.api.call<T>(method, path, body);
    expect(reply).toMatchObject({ status: 202 });
    return { body: reply.body, operation: await plane.operation(reply.body.operationId, status, 120_000) };
  }
  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name)].sort();
  }
  async function inside(role: string, more: readonly string[], command: object, stdin = ''): Promise<string> {
    const [found] = await docker.listContainers({ filters: { label: [label, `hostplane.role=${role}`, ...more] } });
    const exec = await docker.getContainer(found!.Id).exec({ ...command, AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false });
    const stream = await exec.start({ hijack: true, stdin: true });
    const said: Buffer[] = [];
    docker.modem.demuxStream(stream, { write: (chunk: Buffer) => said.push(chunk) } as never, { write: (chunk: Buffer) => said.push(chunk) } as never);
    stream.end(stdin);
    await new Promise((resolve) => stream.on('end', resolve));
    return Buffer.concat(said).toString().trim();
  }
  const php = (of: SiteView, code: string) => inside('workload', [`hostplane.site=${of.id}`], { Cmd: ['php', '--'] }, `<?php require '/var/www/html/wp-load.php'; ${code}`);
  const sql = (statement: string) => inside('database', [], { Cmd: ['mariadb', '--no-defaults', '-uroot', '-NB'], Env: [`MYSQL_PWD=${root}`] }, statement);
  const checksums = (database: string) => sql(`USE ${database}; ${UNMARK} ${STEADY.map((table) => `CHECKSUM TABLE ${table};`).join(' ')}`).then((rows) => rows.split('\n').map((row) => row.split('\t')[1]));
  /** Databases and users that sites have. */
  const databases = async () => (await sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'hp\\_%' UNION ALL SELECT user FROM mysql.user WHERE user LIKE 'hp\\_%'")).split('\n').sort();
  const databaseOf = (of: SiteView) => php(of, 'echo DB_NAME;');
  const serves = async () => (await visit(before)).status;
  const state = async () => ({ things: await labelled(), databases: await databases() });

  it('are taken while posts and uploads are written: of one moment, in one archive whose sum is known', async () => {
    let [written, isEnough] = [0, false];
    const writing = (async () => {
      for (; !isEnough; written++) await author.publish(`Written ${written}`, `<img src="${await author.upload(`w${written}.png`, PNG)}">${'x'.repeat(5_000)}`);
    })();
    await until('something is written', () => written > 3, 60_000);
    const taken = await done<BackupView>('POST', `/sites/${site.id}/backups`);
    const soFar = written;
    await until('more is written', () => written > soFar + 1, 60_000);
    isEnough = true;
    await writing;
    backup = (await plane.api.call<BackupView>('GET', `/backups/${taken.body.id}`)).body;
    const [key, bytes] = [...storage.objects].at(-1)!;
    expect([key.endsWith(`/${backup.id}.tar`), createHash('sha256').update(bytes).digest('hex')]).toEqual([true, backup.sha256]);
    expect([bytes.includes(password), bytes.includes(root), backup.frozenMs > 0]).toEqual([false, false, true]);
  });

  it('become a new site, whose posts have their files, whose links lead to itself, and whose password the vault knows', async () => {
    const { body } = await done<SiteView>('POST', `/backups/${backup.id}/restore`, { name: 'copy' });
    const copy = await plane.api.settled(body.id, ['ACTIVE']);
    const moved = (address: string) => address.replace(site.url, copy.url);
    const found = JSON.parse(await php(copy, `
      $posts = $wpdb->get_col("SELECT post_content FROM $wpdb->posts WHERE post_title LIKE 'Written %' AND post_status = 'publish'");
      $named = array_map(function ($text) { preg_match('#src="[^"]*(/wp-content/uploads/[^"]*)"#', $text, $m); return $m[1]; }, $posts);
      $attached = array_map(fn($file) => '/wp-content/uploads/' . $file, $wpdb->get_col("SELECT meta_value FROM $wpdb->postmeta WHERE meta_key = '_wp_attached_file'"));
      $missing = array_values(array_filter([...$named, ...$attached], fn($path) => !is_file('/var/www/html' . $path)));
      $old = $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->posts WHERE post_content LIKE '%//journal.%'");
      echo json_encode(['posts' => count($posts), 'missing' => $missing, 'old' => $old, 'home' => $wpdb->get_var("SELECT option_value FROM $wpdb->options WHERE option_name = 'home'"), 'planted' => get_option('planted')]);`)) as Record<string, unknown>;
    expect(found).toEqual({ posts: expect.any(Number), missing: [], old: '0', home: copy.url, planted: { deep: [`${copy.url}/x`, 'Grüße'], n: 5 } });
    const written = Number(await php(site, `echo $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->posts WHERE post_title LIKE 'Written %'");`));
    expect([Number(found['posts']) > 0, Number(found['posts']) < written]).toEqual([true, true]);
    const page = await visit(moved(before));
    expect([page.status, page.body.includes('My garden'), page.body.includes(site.url)]).toEqual([200, true, false]);
    const own = await adminPassword(plane, copy);
    expect([own === password, await Author.signIn(copy.url, 'admin', own), await Author.signIn(copy.url, 'admin', password)]).toEqual([false, expect.anything(), undefined]);
    expect(await Author.signIn(site.url, 'admin', password)).toBeDefined();
    await done('DELETE', `/sites/${copy.id}`);
    expect((await databases()).filter((name) => name === wordpressDatabase(copy.id))).toEqual([]);
  });

  it('bring the site back as it was, with a password that works, whatever it was changed to meanwhile', async () => {
    const later = await author.publish('Later', 'text');
    await php(site, "wp_set_password('changed-meanwhile', 1);");
    const there = await state();
    await done('POST', `/backups/${backup.id}/restore`);
    expect([await serves(), (await visit(later)).status]).toEqual([200, 404]);
    password = await adminPassword(plane, site);
    expect([await Author.signIn(site.url, 'admin', 'changed-meanwhile'), await Author.signIn(site.url, 'admin', password)]).toEqual([undefined, expect.anything()]);
    const here = await state();
    expect([here.things.length, here.databases.length]).toEqual([there.things.length, there.databases.length]);
    expect(here.databases).not.toEqual(there.databases);
    // What the archive has, loaded by MariaDB itself, is what the restored site has.
    for await (const { part, bytes } of readBackup(Readable.from([storage.objects.get([...storage.objects.keys()].find((key) => key.includes(backup.id))!)!]))) {
      if (part.kind !== 'database') continue;
      expect(await sql(`CREATE DATABASE backed_up CHARACTER SET utf8mb4; USE backed_up;\n${(await buffer(bytes)).toString()}`)).toBe('');
    }
    expect(await checksums(await databaseOf(site))).toEqual(await checksums('backed_up'));
    await sql('DROP DATABASE backed_up');
  });

  it('are refused when they are damaged, and taken back when they cannot be loaded: the site serves on, and nothing is left', async () => {
    const key = [...storage.objects.keys()].find((one) => one.includes(backup.id))!;
    const whole = storage.objects.get(key)!;
    const damaged = Buffer.from(whole);
    damaged[whole.length >> 1]! ^= 1;
    storage.objects.set(key, damaged);
    const there = await state();
    const refused = await done('POST', `/backups/${backup.id}/restore`, {}, 'failed');
    expect(refused.operation).toMatchObject({ failedStep: 'data', error: expect.stringMatching(/is damaged: its sha256 is .* Nothing was changed\./) });
    expect([await state(), await serves()]).toEqual([there, 200]);
    storage.objects.set(key, whole);
    await sql('SET GLOBAL read_only = ON');
    const failed = await done('POST', `/backups/${backup.id}/restore`, {}, 'failed');
    await sql('SET GLOBAL read_only = OFF');
    expect(failed.operation).toMatchObject({ failedStep: 'data', error: expect.stringMatching(/could not be loaded.*ERROR 1290/s) });
    expect(String(failed.operation['error'])).not.toContain('My garden');
    expect([await state(), await serves(), (await plane.api.site(site.id)).status]).toEqual([there, 200, 'ACTIVE']);
    expect(await Author.signIn(site.url, 'admin', password)).toBeDefined();
  });

  it.each([
    ['a backup while the site stands still and its database is dumped', 'docker:exec', 2, 'backups'],
    ['a restore while its database is loaded', 'docker:exec', 3, 'restore'],
    ['a restore while its volume is filled', 'docker:put-archive', 1, 'restore'],
    ['a restore while the old site stands aside', 'docker:rename-container:done', 1, 'restore'],
  ])('leave the site serving when the provisioner is killed in the middle of %s', async (_, point, nth, what) => {
    const there = await state();
    faults.order({ process: 'provisioner', point, nth });
    await done('POST', what === 'restore' ? `/backups/${backup.id}/restore` : `/sites/${site.id}/backups`);
    expect(await faults.carriedOut()).toBe(true);
    expect([await serves(), (await plane.api.site(site.id)).status]).toEqual([200, 'ACTIVE']);
    const here = await state();
    expect([here.things.length, here.databases.length]).toEqual([there.things.length, there.databases.length]);
    expect(await sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user LIKE 'hp\\_%' AND info LIKE '%SQL_NO_CACHE%'")).toBe('0');
    expect(await Author.signIn(site.url, 'admin', await adminPassword(plane, site))).toBeDefined();
  });

  it('are taken before a site is destroyed, and bring it back from nothing', async () => {
    const { body } = await done<BackupView>('DELETE', `/sites/${site.id}?backup=true`);
    expect(body.operationId).toBeTruthy();
    await plane.api.settled(site.id, ['DESTROYED']);
    expect(await labelled()).toEqual([]);
    const { items } = (await plane.api.call<{ items: BackupView[] }>('GET', '/backups')).body;
    const { body: again } = await done<SiteView>('POST', `/backups/${items[0]!.id}/restore`, { name: 'journal' });
    site = await plane.api.settled(again.id, ['ACTIVE']);
    expect([await serves(), await Author.signIn(site.url, 'admin', await adminPassword(plane, site))]).toEqual([200, expect.anything()]);
    expect((await plane.api.call('POST', `/backups/${randomUUID()}/restore`)).status).toBe(404);
  });
});
