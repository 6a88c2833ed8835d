import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { askTunnel, metricsPair } from '#providers/cloudflare/tunnel-metrics.js';
import { freePort } from '../../infra/start/ports.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithKnot, describeWithNginx } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults } from './faults.js';
import { SteadyVisitor } from './steady-visitor.js';
import { TwiceTold, type Phase } from './twice-told.js';

jest.setTimeout(400_000);

interface DomainView extends Record<string, unknown> {
  readonly status: string;
  readonly failedStep?: string;
  readonly tunnel?: string;
  readonly expected: readonly { purpose: string; name: string; type: string; value: string }[];
}

/** A tunnel with whatever runs it, looked at from outside. */
interface World {
  readonly id: string;
  readonly env: NodeJS.ProcessEnv;
  /** The custom names that it leads here. */
  led(): Promise<readonly string[]>;
  /** How often something is there, or was done, that nothing may double. */
  count(): number;
  /** Has no further configuration come up, or all do again. */
  break(isBroken: boolean): void;
  close(): Promise<void>;
}

async function localTunnel(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-tunnel-'));
  const [credentials, config, metrics] = [join(folder, 'credentials.json'), join(folder, 'config.yml'), `127.0.0.1:${await freePort()}`];
  writeFileSync(credentials, '{}');
  const id = 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415';
  return {
    id,
    env: {
      HOSTPLANE_TUNNEL: 'local', HOSTPLANE_TUNNEL_ID: id, HOSTPLANE_TUNNEL_CREDENTIALS: credentials, HOSTPLANE_TUNNEL_CONFIG: config, HOSTPLANE_TUNNEL_METRICS: metrics,
      HOSTPLANE_TUNNEL_COMMAND: `${process.execPath} ${resolve(import.meta.dirname, '../support/cloudflared-stand-in.mjs')}`,
    },
    led: async () => ((await Promise.all(metricsPair(metrics).map(askTunnel))).find((said) => said !== undefined)?.rules ?? []).flatMap(({ hostname }) => hostname ?? []),
    count: () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && argumentsOf(pid).includes(config)).length,
    break: (isBroken) => (isBroken ? rmSync(credentials) : writeFileSync(credentials, '{}')),
    close: async () => rmSync(folder, { recursive: true }),
  };
}

function argumentsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function remoteTunnel(): Promise<World> {
  const cloudflare = await CloudflareStandIn.start();
  const tunnel = cloudflare.tunnels.add();
  return {
    id: tunnel.id,
    env: { HOSTPLANE_TUNNEL: 'cloudflare', HOSTPLANE_TUNNEL_ID: tunnel.id, HOSTPLANE_TUNNEL_ACCOUNT_ID: tunnel.accountId, HOSTPLANE_TUNNEL_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url },
    led: async () => (tunnel.config?.ingress ?? []).flatMap(({ hostname }) => hostname ?? []),
    count: () => tunnel.version,
    break: (isBroken) => {
      cloudflare.faults.length = 0;
      if (isBroken) cloudflare.fail(/PUT/, 'status', { status: 403, times: 1_000 });
    },
    close: async () => {
      await cloudflare.close();
      expect(cloudflare.violations).toEqual([]);
    },
  };
}

const describeAll = (name: string, tests: () => void) => describeWithKnot(name, () => describeWithCloudflare('of Cloudflare', () => describeWithNginx('beside nginx', tests)));

describeAll('a tunnel', () => describe.each([['run here', localTunnel], ['kept there', remoteTunnel]] as const)('%s, killed at each step', (_kind, begin) => {
  const faults = new Faults();
  let knot: Knot;
  let world: World;
  let plane: Plane;
  let log: pg.Pool;
  let site: SiteView;
  let visitor: SteadyVisitor;
  let telling = '';

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    world = await begin();
    plane = await startPlane({
      env: {
        ...faults.env, ...world.env, HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1',
      },
    });
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    visitor = new SteadyVisitor(async () => {
      const { status } = await visit(site.url);
      return status === 200 ? undefined : `${status}`;
    });
  });
  afterAll(async () => {
    const failed = await visitor?.leave();
    await log?.end();
    await plane?.stop();
    await knot?.stop();
    await world?.close();
    faults.remove();
    expect(failed).toEqual([]);
  });

  const early = () => `early-${telling}.example.com`;
  const late = () => `late-${telling}.example.com`;
  const show = async (name: string) => (await ask<DomainView>(plane, 'GET', `/domains/${name}`)).body;
  async function add(name: string): Promise<void> {
    const { status, body } = await ask<DomainView>(plane, 'POST', `/sites/${site.id}/domains`, { name });
    expect({ status, body }).toMatchObject({ status: 202 });
    const token = body.expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set('example.com', `${token.name}. TXT "${token.value}"`, `${name}. CNAME ${world.id}.cfargotunnel.com.`);
    await ask(plane, 'POST', `/domains/${name}/check`);
  }
  const isActive = (name: string) => comes(plane, `${name} is active`, async () => {
    const { status, tunnel } = await show(name);
    return status === 'active' && tunnel === world.id;
  });
  const leads = (...names: string[]) => comes(plane, `the tunnel leads ${names.join(' and ')} here, and no other`, async () => String([...(await world.led())].sort()) === String(names.sort()));

  const phases: readonly Phase[] = [
    { name: 'a name that comes', run: async () => {
      await add(early());
      await isActive(early());
      await leads(early());
    } },
    { name: 'a name that does not come up', again: /^(tunnel|cloudflare):/, run: async () => {
      world.break(true);
      await add(late());
      await comes(plane, `${late()} has failed`, async () => (await show(late())).status === 'failed');
      expect((await show(late())).failedStep).toBe('tunnel');
      world.break(false);
      await leads(early());
    } },
    { name: 'the same tried again', again: /^(tunnel|cloudflare):/, run: async () => {
      expect((await ask(plane, 'POST', `/domains/${late()}/check`)).status).toBeLessThan(300);
      await isActive(late());
      await leads(early(), late());
    } },
    { name: 'names that go', again: /^(tunnel|cloudflare):/, run: async () => {
      for (const name of [early(), late()]) {
        expect((await ask(plane, 'DELETE', `/domains/${name}`)).status).toBe(202);
        await comes(plane, `${name} is gone`, async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404);
      }
      await leads();
    } },
  ];

  async function count() {
    const since = Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);
    const before = world.count();
    const sql = "SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND stream_id LIKE 'domain/%' GROUP BY type";
    return async () => {
      const { rows } = await log.query<{ type: string; count: string }>(sql, [since]);
      // How often it is looked at, and a host that died asked again, the clock says.
      const { DomainChecked: _, DomainCheckRequested: __, DomainEdgeAskedAgain: ___, ...events } = Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
      return { events, more: world.count() - before };
    };
  }
  const isPoint = (point: string) => /^(tunnel:|cloudflare:|nginx:(swap|confirm))/.test(point) || /^handler:(EnsureEdge|EdgeApplied|EdgeFailed):(received|done)$/.test(point);
  const story = new TwiceTold(faults, isPoint, count);

  it('passes these points when nothing dies', async () => {
    telling = 'recorded';
    const points = new Map<string, readonly string[]>();
    for (const phase of phases) points.set(phase.name, (await story.record(phase)).provisioner);
    const changes = world.env['HOSTPLANE_TUNNEL'] === 'local' ? ['tunnel:write', 'tunnel:restart', 'tunnel:restarted', 'tunnel:good'] : ['cloudflare:put-tunnel', 'cloudflare:put-tunnel:done'];
    for (const name of ['a name that comes', 'the same tried again', 'names that go']) expect(points.get(name)).toEqual(expect.arrayContaining(changes));
    telling = 'killed';
  });

  it.each(phases.map((phase) => [phase.name, phase] as const))('%s comes to its end as it does without a death', async (_, phase) => {
    const { undisturbed, found, deaths, missed } = await story.dieAtEach(phase);
    expect(found).toEqual(undisturbed);
    expect(missed.length).toBeLessThanOrEqual(deaths * 0.2);
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect([Number(rows[0]?.gaps), story.deaths > 10]).toEqual([0, true]);
  });
}));
