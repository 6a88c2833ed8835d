import { expect, it, jest } from '@jest/globals';
import { describeWithCloudflare } from '../../../test/support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../../../test/support/cloudflare-stand-in.js';
import { tunnelContract, type TunnelWorld } from '../contract/tunnel.contract.js';
import { CloudflareApi, type CloudflareSettings } from './cloudflare-api.js';
import { RemoteTunnel } from './remote-tunnel.js';

jest.setTimeout(60_000);
const SERVICE = 'http://127.0.0.1:8080';

async function open(isRemote = true, settings: Partial<CloudflareSettings> = {}): Promise<TunnelWorld & { readonly cloudflare: CloudflareStandIn }> {
  const cloudflare = await CloudflareStandIn.start();
  const row = cloudflare.tunnels.add({ isRemote });
  const make = () => new RemoteTunnel(new CloudflareApi({ token: CLOUDFLARE_TOKEN, url: cloudflare.url, callMs: 20_000, pauseMs: 5, ...settings }), { id: row.id, accountId: row.accountId, service: SERVICE, connectTimeoutSeconds: 10 });
  return {
    cloudflare,
    provider: make(),
    restarted: make,
    led: async () => (row.config?.ingress ?? []).flatMap(({ hostname, service }) => (hostname && service === SERVICE ? [hostname] : [])),
    break: async (isBroken) => {
      cloudflare.faults.length = 0;
      if (isBroken) cloudflare.fail(/PUT/, 'status', { status: 503, times: 99 });
    },
    plantForeign: async () => void (row.config = { ingress: [{ hostname: 'theirs.example.com', service: 'http://10.0.0.1:80' }, { service: 'http_status:404' }] }),
    hasForeign: async () => row.config?.ingress[0]?.hostname === 'theirs.example.com',
    close: async () => {
      await cloudflare.close();
      expect(cloudflare.violations).toEqual([]);
    },
  };
}

describeWithCloudflare('cloudflare, remotely managed', () => {
  tunnelContract('cloudflare', () => open());

  const faults = [
    ['reset', {}], ['reset-after', {}], ['status', { status: 429, headers: { 'retry-after': '1' } }], ['status', { status: 500 }], ['status-after', { status: 502 }],
  ] as const;
  it.each(faults)('comes to the same when each call once goes wrong (%s %j)', async (kind, more) => {
    const world = await open(true);
    for (const on of [/GET .*cfd_tunnel\/[^/]+$/, /GET .*configurations/, /PUT/]) world.cloudflare.fail(on, kind, more);
    await world.provider.start();
    await world.provider.apply({ revision: 1, hostnames: ['a.example.com'] });
    expect([await world.led(), world.cloudflare.faults.map(({ times }) => times), [...world.cloudflare.tunnels.tunnels.values()][0]!.config]).toEqual(
      [['a.example.com'], [0, 0, 0], { ingress: [{ hostname: 'a.example.com', service: SERVICE }, { service: 'http_status:404' }], originRequest: { connectTimeout: 10 } }],
    );
    await world.close();
  });

  const calls = [['look at the tunnel', /GET .*cfd_tunnel\/[^/]+$/], ['look at the configuration of the tunnel', /GET .*configurations/], ['change the configuration of the tunnel', /PUT/]] as const;
  it.each(calls)('says what stays wrong when it is to %s, and is as wished by a retry', async (what, on) => {
    const world = await open(true, { attempts: 2, callMs: 500 });
    const bringUp = () => world.provider.start().then(() => world.provider.apply({ revision: 1, hostnames: ['a.example.com'] }));
    const lasting = [['status', { status: 429 }, true, /429/], ['status', { status: 503 }, true, /503/], ['status', { status: 403 }, false, /403.*HOSTPLANE_CLOUDFLARE_API_TOKEN.*Cloudflare Tunnel Edit/], ['hang-after', {}, true, /does not answer \(nothing within 0\.5 s\)/]] as const;
    for (const [kind, more, retryable, why] of lasting) {
      world.cloudflare.fail(on, kind, { ...more, times: 99 });
      const error = (await bringUp().catch((e: unknown) => e)) as Error;
      expect(error).toMatchObject({ name: 'ProviderError', retryable, message: expect.stringContaining(what) });
      expect(error.message).toMatch(why);
      world.cloudflare.faults.length = 0;
      await bringUp();
      expect(await world.led()).toEqual(['a.example.com']);
      await world.provider.apply({ revision: 1, hostnames: [] });
    }
    await world.close();
  });

  it('says when a tunnel is gone, or is configured elsewhere', async () => {
    const local = await open(false);
    await expect(local.provider.start()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/by a file on its host: set HOSTPLANE_TUNNEL=local/) });
    await local.close();
    const world = await open();
    [...world.cloudflare.tunnels.tunnels.values()][0]!.deletedAt = '2026-01-02T00:00:00Z';
    await expect(world.provider.start()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/was deleted at/) });
    world.cloudflare.tunnels.tunnels.clear();
    await expect(world.provider.start()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/404 \(Tunnel not found/) });
    await world.close();
  });
});
