import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { SiteView } from '../support/api.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithKnot, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults, type Passing } from './faults.js';

jest.setTimeout(900_000);

const RECOVERS_WITHIN_MS = 90_000;

describeWithKnot('a certificate that a TXT record proves', () => describeWithCloudflare('at Cloudflare', () => describeWithPebble('by ACME', () => {
  const faults = new Faults();
  let plane: Plane;
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let pebble: Pebble;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    pebble = await Pebble.start({ dns: knot.address, httpPort: 1 });
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_EDGE: 'embedded', HOSTPLANE_DOCKER: 'off', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: '198.51.100.7',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '1', HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url,
        HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile,
      },
    });
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
    faults.remove();
    expect(cloudflare.violations).toEqual([]);
  });

  const proofs = () => cloudflare.zones.all().filter(({ name }) => name.startsWith('_acme-challenge.'));

  /** A domain gets its certificate and goes: of what proved it nothing is left at either time. */
  async function story(name: string): Promise<void> {
    expect((await ask(plane, 'POST', `/sites/${site.id}/domains`, { name })).status).toBe(202);
    await comes(plane, `the certificate of ${name} is deployed`, async () => (await plane.api.call('GET', `/domains/${name}/certificate`)).body['status'] === 'deployed');
    await comes(plane, 'the records of its proof are gone', async () => proofs().length === 0);
    expect((await ask(plane, 'DELETE', `/domains/${name}`)).status).toBeLessThan(500);
    await comes(plane, `${name} is gone`, async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404);
    await comes(plane, 'its zone is as before', async () => cloudflare.zones.all().length === 0);
  }

  it('comes with kill -9 at each step of its proof, and leaves no record behind', async () => {
    faults.forget();
    await story('traced.example.com');
    const passed = faults.passed().filter(({ point, process }) => process === 'control-plane' && /^certificate:/.test(point));
    const points = passed.filter((step, at) => passed.findIndex(({ point }) => point === step.point) === at);
    expect(points.map(({ point }) => point)).toEqual(expect.arrayContaining(['certificate:order', 'certificate:ordered', 'certificate:dns-proof:set:0', 'certificate:dns-proof:look', 'certificate:issued', 'certificate:dns-proof:remove:0', 'certificate:dns-proof:removed']));
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

  it('that is given up half-way, with its domain, leaves no record behind either', async () => {
    for (const [i, point] of ['certificate:dns-proof:set:0', 'certificate:dns-proof', 'certificate:dns-proof:looked', 'certificate:issued'].entries()) {
      const name = `gone${i}.example.com`;
      faults.order({ process: 'control-plane', point, nth: 1 });
      await ask(plane, 'POST', `/sites/${site.id}/domains`, { name });
      await comes(plane, `it was killed at ${point}`, () => faults.carriedOut(RECOVERS_WITHIN_MS));
      await ask(plane, 'DELETE', `/domains/${name}`);
      await comes(plane, `${name} is gone`, async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404);
      await comes(plane, `nothing is left after ${point}`, async () => cloudflare.zones.all().length === 0);
    }
  });
})));
