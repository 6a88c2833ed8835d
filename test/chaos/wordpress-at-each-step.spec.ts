import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import pg from 'pg';
import { hostKeyring } from '#domain/naming/naming.js';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { until } from '../support/bus.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';
import { adminPassword, Author, rootPassword } from '../support/wordpress.js';
import { ask, isBack } from './asking.js';
import { Faults } from './faults.js';

jest.setTimeout(600_000);

const REPO = 'hostplane-test/wordpress-chaos';
const PARTS = ['provisioner', 'control-plane'] as const;
type Part = (typeof PARTS)[number];
/** What one telling of a phase left: everything by which a second telling, in which everything dies, is measured. */
interface Outcome {
  readonly things: readonly string[];
  readonly databases: readonly string[];
  readonly secrets: readonly string[];
  readonly events: Readonly<Record<string, number>>;
}
interface Recorded {
  readonly outcome: Outcome;
  readonly steps: Readonly<Record<Part, readonly string[]>>;
}
interface Phase {
  readonly name: string;
  readonly run: () => Promise<void>;
  /** Its steps have the names of earlier ones, and do something else: it dies at all of them. */
  readonly isAnother?: true;
}

/**
 * A story is told twice. The first telling is recorded; in the second the provisioner and the control plane die at each step that the first one came to:
 * one death after the other, within the same operations, each of which has to come to its end all the same.
 */
describeWithDocker('WordPress, killed at each step', () => {
  const faults = new Faults();
  const docker = new Docker();
  let plane: Plane;
  let label: string;
  let log: pg.Pool;
  let root = '';
  let site: SiteView;
  let password = '';
  let backupId = '';
  let telling = '';
  let deaths = 0;

  beforeAll(async () => {
    for (const tag of ['8.3', '8.4']) await docker.getImage(testImage('wordpress')).tag({ repo: REPO, tag });
    plane = await startPlane({ env: { ...faults.env, HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'embedded', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100', HOSTPLANE_WORDPRESS_IMAGE: `${REPO}:{php}` } });
    label = `hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`;
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
  });
  afterAll(async () => {
    const left = plane ? await things() : [];
    await log?.end();
    await plane?.stop();
    faults.remove();
    for (const tag of ['8.3', '8.4']) await docker.getImage(`${REPO}:${tag}`).remove();
    expect(left).toEqual([]);
  });

  /** What the engine has of the plane, ids left out. */
  async function things(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    const names = [...containers.map(({ Names, State }) => `${Names.join()} ${State}`), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)];
    return names.map((name) => name.replace(/[a-z2-7]{26}/g, 'id').replace(telling, 'site')).sort();
  }
  async function databases(): Promise<string[]> {
    const [server] = await docker.listContainers({ filters: { label: [label, 'hostplane.role=database'] } });
    if (!server) return [];
    root ||= await rootPassword(plane);
    const exec = await docker.getContainer(server.Id).exec({ Cmd: ['mariadb', '--no-defaults', '-uroot', '-NBe', 'SHOW DATABASES; SELECT user FROM mysql.user'], Env: [`MYSQL_PWD=${root}`], AttachStdout: true, AttachStderr: true });
    let said = '';
    for await (const chunk of await exec.start({})) said += String(chunk);
    return (said.match(/hp_[a-z2-7]{26}/g) ?? []).map(() => 'hp_id');
  }
  const secrets = async () => (await ask<{ items: { name: string; version: number }[] }>(plane, 'GET', `/projects/${telling}/secrets`)).body.items.map(({ name, version }) => `${name.replace(/[a-z2-7]{26}/g, 'id')} ${version}`).sort();
  /** What opened data that is gone is forgotten a moment later. */
  const keepsPasswords = (count: number) => until(`${count} passwords are left`, async () => (await secrets()).filter((name) => name.startsWith('site/')).length === count, 30_000);
  /** How often each thing happened since a position; but for what a process does at each start, for why work is tried again while others are away, and for secrets, which are looked at by name (the host's are made once). */
  async function events(since: number): Promise<Record<string, number>> {
    const sql = "SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND type NOT IN ('SecretOpened', 'EdgeStarted', 'SecretsReady', 'SecretStored', 'WorkDelayed') AND stream_id NOT LIKE $2 GROUP BY type";
    const { rows } = await log.query<{ type: string; count: string }>(sql, [since, `%${hostKeyring('local')}%`]);
    return Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
  }
  const head = async () => Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);

  async function succeeds<T extends { operationId: string }>(method: string, path: string, body?: object): Promise<T> {
    const reply = await ask<T>(plane, method, path, body);
    expect(reply).toMatchObject({ status: 202 });
    await plane.operation(reply.body.operationId, 'succeeded', 240_000);
    await isBack(plane);
    return reply.body;
  }
  /** Whoever is to forget passwords may die once more while one looks, so that is done again. */
  async function isSeen(look: () => Promise<void>): Promise<void> {
    for (const end = Date.now() + 30_000; ; await sleep(100)) {
      const wrong = await look().then(() => undefined, (error: Error) => error);
      if (!wrong) return;
      if (Date.now() > end) throw wrong;
    }
  }
  /** Its page is there for visitors, and its administrator gets in with the password that the vault has. */
  const serves = () => isSeen(async () => {
    expect([(await plane.api.site(site.id)).status, (await visit(site.url)).status]).toEqual(['ACTIVE', 200]);
    const revealed = await adminPassword(plane, site);
    expect(await Author.signIn(site.url, 'admin', revealed)).toBeDefined();
    expect(revealed).toBe((password ||= revealed));
  });
  async function launched(more: object): Promise<void> {
    site = await succeeds<SiteView>('POST', '/sites', { projectId: telling, name: telling, kind: 'wordpress', phpVersion: '8.3', ...more });
    site = await plane.api.site(site.id);
    await serves();
  }
  async function begin(name: string): Promise<void> {
    [telling, password, root] = [name, '', ''];
    const { body } = await plane.api.call<SiteView>('POST', '/projects', { name });
    await plane.operation(body.operationId, 'succeeded');
  }
  const isGone = (more: object = {}) => isSeen(async () => {
    expect([await plane.api.site(site.id), await visit(site.url)]).toMatchObject([{ status: 'DESTROYED', ...more }, { status: 404 }]);
  });

  const phases: readonly Phase[] = [
    { name: 'a launch', run: () => launched({}) },
    { name: 'a change of PHP', run: async () => { await succeeds('PATCH', `/sites/${site.id}`, { phpVersion: '8.4' }); await serves(); } },
    { name: 'a backup', run: async () => { backupId = (await succeeds<SiteView>('POST', `/sites/${site.id}/backups`)).id; await serves(); } },
    { name: 'a restore', run: async () => {
      await succeeds('POST', `/backups/${backupId}/restore`);
      password = '';
      await serves();
      await keepsPasswords(2);
    } },
    { name: 'a removal that keeps the data', run: async () => { await succeeds('DELETE', `/sites/${site.id}?keepData=true`); await isGone(); } },
    { name: 'a launch on kept data', run: () => launched({ restoreFrom: site.id, phpVersion: undefined }) },
    { name: 'a removal that keeps the data once more', run: async () => { await succeeds('DELETE', `/sites/${site.id}?keepData=true`); await isGone(); } },
    { name: 'a discard of kept data', isAnother: true, run: async () => {
      await succeeds('DELETE', `/sites/${site.id}/data`);
      await isGone({ leftData: 'gone' });
      await keepsPasswords(0);
    } },
    { name: 'another launch', run: () => { password = ''; return launched({}); } },
    { name: 'a removal with a backup', run: async () => {
      await succeeds('DELETE', `/sites/${site.id}?backup=true`);
      await plane.api.settled(site.id, ['DESTROYED', 'FAILED'], 240_000);
      await isBack(plane);
      await isGone();
      await keepsPasswords(0);
    } },
  ];

  async function told(phase: Phase): Promise<Outcome> {
    const since = await head();
    await phase.run();
    return { things: await things(), databases: await databases(), secrets: await secrets(), events: await events(since) };
  }

  /**
   * Steps of the provisioner, by the work in which they are. Left out are points at which nothing has changed since the one before (a request before its effect, what
   * only looks), the further askings of a database server that is starting, and what `kill-at-each-step` kills at in the same work: the edge and a project's home.
   */
  const ofProvisioner = (): readonly string[] => faults.steps('provisioner').filter((step) =>
    /^\w+\|(docker:(?!list|inspect|version|logs|stat)[\w-]+:done|handler:\w+:(received|done)|backup:\w+)#/.test(step)
    && !/^(EnsureEdge|RemoveEdge|EnsureHome|RemoveHome)\|/.test(step) && !/^EnsureDatabase\|docker:exec:done#([2-9]|\d\d)$/.test(step));
  /**
   * Points of the control plane, before and after each message that it works on: several are worked on at once, so that which of them is meant is said by the message alone.
   * Those that the launch of a static site and of its project have as well are killed at by `kill-at-each-step`; a keyring's making too.
   */
  const ofControlPlane = (): readonly string[] => {
    const worked = faults.passed().flatMap(({ process, point }) => (process === 'control-plane' ? (/^handler:(\w+):received$/.exec(point)?.[1] ?? []) : []));
    const elsewhere = ['ProjectRequested', 'SiteRequested', 'HomeReady', 'EnsureKeyring', 'WorkloadReady', 'EnsureRoute', 'EdgeApplied', 'SiteDestroyRequested', 'RemoveRoute', 'WorkloadRemoved'];
    return [...new Set(worked)].filter((type) => !elsewhere.includes(type)).flatMap((type) => [`handler:${type}:received`, `handler:${type}:done`]);
  };
  /** What has died in an earlier phase is left out; but a container that takes the place of another is no launch. */
  const covered = new Set<string>();
  function newSteps(phase: Phase): Recorded['steps'] {
    const fresh = (part: Part, steps: readonly string[]) => steps.filter((step) => phase.isAnother || !covered.has(`${part} ${step}`));
    const steps = { provisioner: fresh('provisioner', ofProvisioner()), 'control-plane': fresh('control-plane', ofControlPlane()) };
    for (const part of PARTS) for (const step of steps[part]) if (phase.name !== 'a launch' || !step.startsWith('EnsureWorkload|')) covered.add(`${part} ${step}`);
    return steps;
  }

  const recorded = new Map<string, Recorded>();

  it('passes these steps when nothing dies', async () => {
    await begin('recorded');
    for (const phase of phases) {
      faults.forget();
      const outcome = await told(phase);
      recorded.set(phase.name, { outcome, steps: newSteps(phase) });
    }
    const of = (name: string, part: Part) => recorded.get(name)!.steps[part];
    expect(of('a launch', 'provisioner')).toEqual(expect.arrayContaining(['EnsureDatabase|docker:create-container:done#1', 'EnsureDatabase|docker:exec:done#1', 'EnsureWorkload|docker:start-container:done#1', 'InstallWorkload|docker:exec:done#1', 'ConfirmPage|handler:ConfirmPage:done#1']));
    expect(of('a change of PHP', 'provisioner')).toContain('EnsureWorkload|docker:rename-container:done#1');
    expect(of('a backup', 'provisioner')).toContain('TakeBackup|docker:pause-container:done#1');
    expect(of('a restore', 'provisioner')).toContain('RestoreBackup|docker:put-archive:done#1');
    expect(of('a restore', 'control-plane')).toContain('handler:BackupRestored:done');
    expect(of('a discard of kept data', 'provisioner')).toEqual(expect.arrayContaining(['RemoveWorkload|docker:remove-volume:done#1', 'RemoveDatabase|docker:exec:done#1']));
    expect(of('a discard of kept data', 'control-plane')).toEqual(expect.arrayContaining(['handler:SiteDataDiscardRequested:received', 'handler:SiteDataDiscardRequested:done']));
    await begin('killed');
  });

  it.each(phases.map((phase) => [phase.name, phase] as const))('%s ends as it does without a death', async (name, phase) => {
    const { outcome, steps } = recorded.get(name)!;
    for (const part of PARTS) faults.orderAll(part, steps[part]);
    let found: Outcome;
    try {
      found = await told(phase);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await plane.complaints()}`, { cause: error });
    }
    const missed = PARTS.flatMap((part) => faults.missed(part, steps[part]));
    const all = PARTS.flatMap((part) => steps[part]);
    deaths += all.length - missed.length;
    process.stderr.write(`  ${name}: ${all.length - missed.length} of ${all.length} deaths${missed.length ? `, not at ${missed.join(', ')}` : ''}\n`);
    expect(found).toEqual(outcome);
    expect(missed.length).toBeLessThanOrEqual(Math.ceil(all.length * 0.1));
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect(Number(rows[0]?.gaps)).toBe(0);
    expect(deaths).toBeGreaterThan(80);
  });
});
