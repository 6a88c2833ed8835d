import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { describeWithCloudflare } from '../../../test/support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../../../test/support/cloudflare-stand-in.js';
import { dnsContract, type DnsWorld } from '../contract/dns.contract.js';
import type { DnsRecordWish } from '../dns.js';
import { CloudflareApi, type CloudflareSettings } from './cloudflare-api.js';
import { CloudflareDns, type CloudflareDnsOptions } from './cloudflare-dns.js';
import { readText, textOf } from './txt.js';

jest.setTimeout(60_000);

interface World extends DnsWorld {
  readonly cloudflare: CloudflareStandIn;
  with(settings: Partial<CloudflareSettings>, options?: Partial<CloudflareDnsOptions>): CloudflareDns;
}

async function open(): Promise<World> {
  const cloudflare = await CloudflareStandIn.start('example.com', 'sub.example.com', 'other.example.net');
  const plane = randomUUID();
  const make = (settings: Partial<CloudflareSettings> = {}, options: Partial<CloudflareDnsOptions> = {}) =>
    new CloudflareDns(new CloudflareApi({ token: CLOUDFLARE_TOKEN, url: cloudflare.url, callMs: 20_000, pauseMs: 5, ...settings }), { plane: async () => plane, ...options });
  return {
    cloudflare,
    with: make,
    provider: make(),
    restarted: make(),
    another: make({}, { plane: async () => randomUUID() }),
    zone: 'example.com',
    records: async () => cloudflare.zones.all().map(({ type, name, content }) => `${type} ${name} ${type === 'TXT' ? readText(content) : content}`).sort(),
    plant: async ({ type, name, value }) => void cloudflare.zones.plant({ type, name, content: type === 'TXT' ? textOf(value) : value }),
    clear: async () => cloudflare.zones.zones.forEach(({ records }) => records.clear()),
    close: async () => {
      await cloudflare.close();
      expect(cloudflare.violations).toEqual([]);
    },
  };
}

describeWithCloudflare('cloudflare', () => dnsContract('cloudflare', open));

describeWithCloudflare('cloudflare DNS itself', () => {
  let world: World;
  beforeEach(async () => void (world = await open()));
  afterEach(() => world.close());
  const address: DnsRecordWish = { type: 'A', name: 'shop.example.com', value: '192.0.2.1' };
  const changes = () => world.cloudflare.asked.filter((one) => !one.startsWith('GET'));

  it('marks what it makes so that people see whose it is, with a tag where the plan has them', async () => {
    world.cloudflare.zones.add('paid.example.org', { plan: 'pro' });
    await world.provider.ensure(address);
    await world.provider.ensure({ ...address, name: 'shop.paid.example.org' });
    expect(world.cloudflare.zones.all().map(({ comment, tags }) => [comment, tags])).toEqual([
      [expect.stringMatching(/^Hostplane [0-9a-f-]{36}: kept by it, do not edit\.$/), []],
      [expect.stringMatching(/^Hostplane /), [expect.stringMatching(/^hostplane:[0-9a-f-]{36}$/)]],
    ]);
  });

  it('sets TTL and proxying, follows a change of them, and leaves what a wish leaves open', async () => {
    await world.provider.ensure({ ...address, ttlSeconds: 120 });
    await world.provider.ensure({ ...address, ttlSeconds: 300 });
    await world.provider.ensure(address);
    expect(world.cloudflare.zones.all()).toMatchObject([{ ttl: 300, proxied: false }]);
    await world.provider.ensure({ ...address, proxied: true });
    expect(await world.provider.list('example.com')).toEqual([{ ...address, proxied: true }]);
    expect(changes().map((one) => one.split(' ')[0])).toEqual(['POST', 'PATCH', 'PATCH']);
  });

  it('knows an address however it is written, and texts that are long or have quotes', async () => {
    const wishes: DnsRecordWish[] = [
      { type: 'AAAA', name: 'shop.example.com', value: '2001:0DB8:0:0:0:0:0:1' },
      { type: 'TXT', name: 'long.example.com', value: `${'é"\\'.repeat(200)} end` },
    ];
    for (let time = 0; time < 2; time++) for (const wish of wishes) await world.provider.ensure(wish);
    expect(changes()).toHaveLength(2);
    expect((await world.provider.list('example.com')).map(({ value }) => value)).toEqual(['2001:db8::1', wishes[1]!.value]);
    for (const wish of wishes) await world.provider.remove(wish);
    expect(await world.records()).toEqual([]);
  });

  it('lists more than a page holds, of zones too', async () => {
    for (let i = 0; i < 120; i++) world.cloudflare.zones.add(`z${i}.example.org`);
    const fresh = world.with({});
    expect(await fresh.zoneOf('shop.z119.example.org')).toBe('z119.example.org');
    await fresh.ensure(address);
    const { comment } = world.cloudflare.zones.all()[0]!;
    for (let i = 0; i < 105; i++) world.cloudflare.zones.plant({ type: 'A', name: `n${i}.example.com`, content: '192.0.2.9', comment });
    expect(await fresh.list('example.com')).toHaveLength(106);
  });

  it('changes only the zones that it may, and none that Cloudflare does not answer for', async () => {
    world.cloudflare.zones.add('pending.example.org', { status: 'pending' });
    const limited = world.with({}, { zones: ['other.example.net', 'pending.example.org'] });
    expect(await Promise.all(['a.example.com', 'other.example.net', 'a.pending.example.org'].map((name) => limited.zoneOf(name)))).toEqual([undefined, 'other.example.net', undefined]);
    await expect(limited.ensure(address)).rejects.toMatchObject({ retryable: false });
    expect(await world.with({ url: 'http://127.0.0.1:65535' }, { zones: ['other.example.net'] }).zoneOf('a.example.com')).toBeUndefined();
  });

  const faults = [
    ['does not answer', 'reset', {}],
    ['takes it and loses the answer', 'reset-after', {}],
    ['asks for patience', 'status', { status: 429, headers: { 'retry-after': '1' } }],
    ['fails', 'status', { status: 503 }],
    ['takes it and fails', 'status-after', { status: 502 }],
  ] as const;
  const calls = [['zones', /GET \/zones$/], ['a look', /GET .*dns_records/], ['a creation', /POST/], ['a change', /PATCH/], ['a removal', /DELETE/]] as const;
  it.each(calls.flatMap(([call, on]) => faults.map(([what, kind, more]) => [call, what, on, kind, more] as const)))('comes to the same end when at %s Cloudflare once %s', async (_call, _what, on, kind, more) => {
    world.cloudflare.fail(on, kind, more);
    const dns = world.with({});
    await dns.ensure(address);
    expect(await world.records()).toEqual(['A shop.example.com 192.0.2.1']);
    await dns.ensure({ ...address, ttlSeconds: 60 });
    expect(world.cloudflare.zones.all()).toMatchObject([{ ttl: 60 }]);
    await dns.remove(address);
    expect([await world.records(), world.cloudflare.faults[0]!.times]).toEqual([[], 0]);
  });

  it.each(calls)('says at once that at %s nothing came in time, and comes to the same end at the next try', async (call, on) => {
    world.cloudflare.fail(on, 'hang-after');
    const dns = world.with({ callMs: 500 });
    const told: string[] = [];
    const tried = (work: () => Promise<void>) =>
      work().catch((error: Error) => {
        told.push(error.message);
        return work();
      });
    await tried(() => dns.ensure(address));
    expect(await world.records()).toEqual(['A shop.example.com 192.0.2.1']);
    await tried(() => dns.ensure({ ...address, ttlSeconds: 60 }));
    await tried(() => dns.remove(address));
    expect([await world.records(), world.cloudflare.faults[0]!.times]).toEqual([[], 0]);
    // Whether a record was made is looked at by itself.
    expect(told).toEqual(call === 'a creation' ? [] : [expect.stringMatching(/^Cloudflare does not answer \(nothing within 0\.5 s\) when it is to /)]);
  });

  it.each([['nothing at all', 1, /./], ['no creation', 2, /POST/]] as const)('while it answers %s, that is said after %i of them', async (_, times, on) => {
    world.cloudflare.fail(on, 'hang-before', { times: 99 });
    await expect(world.with({ callMs: 1_000 }).ensure(address)).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/nothing within 1 s/) });
    expect(world.cloudflare.asked.filter((one) => on.test(one))).toHaveLength(times);
  });

  it('waits for an answer that is slow, and for each of them anew', async () => {
    world.cloudflare.fail(/./, 'slow', { times: 99 });
    await world.with({ callMs: 1_500 }).ensure(address);
    expect(await world.records()).toEqual(['A shop.example.com 192.0.2.1']);
  });

  it('says what stays wrong, and never its token', async () => {
    const told = async (settings: Partial<CloudflareSettings>) => {
      const error = (await world.with({ attempts: 2, ...settings }).ensure(address).catch((e: unknown) => e)) as Error & { retryable: boolean };
      expect(error.message).not.toMatch(/a-token-of|planted-token/);
      return [error.name, error.retryable, error.message];
    };
    expect(await told({ token: 'planted-token' })).toEqual(['ProviderError', false, expect.stringMatching(/could not list the zones.*403 \(Invalid access token \[9109\]\).*HOSTPLANE_CLOUDFLARE_API_TOKEN/)]);
    expect(await told({ url: 'http://127.0.0.1:65535' })).toEqual(['ProviderError', true, expect.stringMatching(/does not answer \(ECONNREFUSED\)/)]);
    const lasting = [[{ status: 429 }, /429 \(Injected\. \[10013\]\)/], [{ status: 500 }, /could not set the A record shop\.example\.com: 500/]] as const;
    for (const [more, words] of lasting) {
      world.cloudflare.faults.length = 0;
      world.cloudflare.fail(/POST/, 'status', { ...more, times: 99 });
      expect(await told({})).toEqual(['ProviderError', true, expect.stringMatching(words)]);
    }
    world.cloudflare.faults.length = 0;
    world.cloudflare.fail(/POST/, 'reset', { times: 99 });
    expect(await told({})).toEqual(['ProviderError', true, expect.stringMatching(/does not answer/)]);
    world.cloudflare.faults.length = 0;
    world.cloudflare.fail(/POST/, 'hang-after', { times: 99 });
    await world.with({ callMs: 500 }).ensure(address);
    expect(await world.records()).toEqual(['A shop.example.com 192.0.2.1']);
  });
});
