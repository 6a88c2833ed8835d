import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { visit, type SiteView } from '../support/api.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithKnot } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults, type Passing } from './faults.js';

jest.setTimeout(900_000);

const HERE = '198.51.100.7';

describeWithKnot('a domain whose records the plane sets', () => describeWithCloudflare('at Cloudflare', () => {
  const faults = new Faults();
  let plane: Plane;
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_DOCKER: 'off', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: HERE,
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url,
      },
    });
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([knot?.stop(), cloudflare?.close()]);
    faults.remove();
    expect(cloudflare.violations).toEqual([]);
  });

  /** A domain is set up, served and taken away, each of its records once. */
  async function story(name: string): Promise<void> {
    expect((await ask(plane, 'POST', `/sites/${site.id}/domains`, { name })).status).toBe(202);
    await comes(plane, `${name} is active`, async () => (await plane.api.call('GET', `/domains/${name}`)).body['status'] === 'active');
    expect(cloudflare.zones.all().map(({ type }) => type).sort()).toEqual(['A', 'TXT']);
    expect((await ask(plane, 'DELETE', `/domains/${name}`)).status).toBeLessThan(500);
    await comes(plane, `${name} is gone`, async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404);
    expect(cloudflare.zones.all()).toEqual([]);
    await comes(plane, 'the site serves', async () => (await visit(site.url)).status === 200);
  }

  it('comes and goes with kill -9 at each step of its records', async () => {
    faults.forget();
    await story('traced.example.com');
    const passed = faults.passed().filter(({ point }) => /^(cloudflare|domains:records):/.test(point));
    const points = passed.filter((step, at) => passed.findIndex(({ point }) => point === step.point) === at);
    expect(points.map(({ point }) => point)).toEqual(expect.arrayContaining(['domains:records:set:0', 'cloudflare:create-record', 'cloudflare:create-record:done', 'domains:records:remove:0', 'cloudflare:delete-record:done']));
    let killed = 0;
    for (const [i, passing] of (points as readonly Passing[]).entries()) {
      faults.order(passing);
      try {
        await story(`k${i}.example.com`);
      } catch (error) {
        throw new Error(`killed at ${passing.point}:\n${(error as Error).message}\n${await plane.complaints()}`, { cause: error });
      }
      if (await faults.carriedOut()) killed++;
    }
    expect(killed).toBe(points.length);
  });
}));
