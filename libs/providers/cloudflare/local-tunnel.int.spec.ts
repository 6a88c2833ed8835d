import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { freePort } from '../../../infra/start/ports.js';
import { SteadyVisitor } from '../../../test/chaos/steady-visitor.js';
import { visit } from '../../../test/support/api.js';
import { tunnelContract, type TunnelWorld } from '../contract/tunnel.contract.js';
import { LocalTunnel, type LocalTunnelOptions } from './local-tunnel.js';
import { askTunnel, metricsPair } from './tunnel-metrics.js';
import { OwnTunnel } from './own-tunnel.js';
import { CommandedTunnel, type TunnelProcess } from './tunnel-process.js';

jest.setTimeout(120_000);
const SERVICE = 'http://127.0.0.1:8080';
/** cloudflared itself comes from Cloudflare's own package source: the stand-in is what runs here. */
const COMMAND = `${process.execPath} ${resolve(import.meta.dirname, '../../../test/support/cloudflared-stand-in.mjs')}`;

interface World extends TunnelWorld {
  readonly options: LocalTunnelOptions;
  with(process: TunnelProcess | undefined, more?: Partial<LocalTunnelOptions>): LocalTunnel;
  pid(): number;
}

async function open(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-tunnel-'));
  const options: LocalTunnelOptions = {
    id: 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415', credentialsFile: join(folder, 'credentials.json'), metrics: `127.0.0.1:${await freePort()}`, service: SERVICE, connectTimeoutSeconds: 10,
    configFile: join(folder, 'config.yml'), readyWithinMs: 20_000,
  };
  writeFileSync(options.credentialsFile, '{}');
  // A configuration of one's own need not be where the plane keeps its data.
  const pidFile = join(folder, 'data', 'pid');
  const own = () => new OwnTunnel(COMMAND, pidFile, options.metrics, () => undefined);
  const ask = async () => (await Promise.all(metricsPair(options.metrics).map(askTunnel))).find((said) => said !== undefined);
  const make = (process: TunnelProcess = own(), more: Partial<LocalTunnelOptions> = {}) => new LocalTunnel({ ...options, ...more }, process);
  const provider = make();
  const foreign = 'tunnel: mine\ningress:\n  - service: http_status:404\n';
  return {
    options,
    provider,
    with: make,
    restarted: () => make(),
    pid: () => Number(readFileSync(pidFile, 'utf8').split(' ')[0]),
    led: async () => ((await ask())?.rules ?? []).flatMap(({ hostname, service }) => (hostname && service === SERVICE ? [hostname] : [])),
    break: async (isBroken) => {
      // A file that nothing can be read from: cloudflared ends at once with it.
      if (isBroken) rmSync(options.credentialsFile);
      else {
        writeFileSync(options.credentialsFile, '{}');
        await provider.start();
      }
    },
    plantForeign: async () => writeFileSync(options.configFile, foreign),
    hasForeign: async () => readFileSync(options.configFile, 'utf8') === foreign,
    close: async () => {
      await make().stop();
      expect(await ask()).toBeUndefined();
      rmSync(folder, { recursive: true });
    },
  };
}

tunnelContract('cloudflared on this host', open);

describe('a tunnel of this host', () => {
  it('is restarted only for another table, and started again when it has died', async () => {
    const world = await open();
    await world.provider.apply({ revision: 1, hostnames: ['a.example.com'] });
    const first = world.pid();
    await world.provider.apply({ revision: 2, hostnames: ['a.example.com'] });
    const next = world.restarted();
    await next.start();
    expect(world.pid()).toBe(first);
    process.kill(first, 'SIGKILL');
    for (const end = Date.now() + 10_000; Date.now() < end && (await next.served()); ) await sleep(20);
    expect(await next.served()).toBeUndefined();
    await next.start();
    expect([await world.led(), world.pid() === first]).toEqual([['a.example.com'], false]);
    await world.close();
  });

  it('is one, also when who started it died before its number was kept', async () => {
    const world = await open();
    await world.provider.apply({ revision: 1, hostnames: ['a.example.com'] });
    const first = world.pid();
    rmSync(join(resolve(world.options.configFile, '..'), 'data', 'pid'));
    await world.restarted().apply({ revision: 2, hostnames: ['b.example.com'] });
    expect([await world.led(), world.pid() === first, existsSync(`/proc/${first}/exe`)]).toEqual([['b.example.com'], false, false]);
    await world.close();
  });

  it('that never gets through to Cloudflare keeps the last table, and may be tried again', async () => {
    const world = await open();
    await world.provider.apply({ revision: 1, hostnames: ['a.example.com'] });
    writeFileSync(`${world.options.configFile}.cut`, '');
    const hurried = world.with(undefined, { readyWithinMs: 500 });
    const error = await hurried.apply({ revision: 2, hostnames: ['b.example.com'] }).catch((e: unknown) => e);
    expect(error).toMatchObject({ retryable: true, message: expect.stringMatching(/did not come up/) });
    expect(readFileSync(world.options.configFile, 'utf8')).toContain('a.example.com');
    rmSync(`${world.options.configFile}.cut`);
    await world.provider.apply({ revision: 2, hostnames: ['b.example.com'] });
    expect(await world.led()).toEqual(['b.example.com']);
    await world.close();
  });

  it('leads visitors on while another table comes up, and when none does', async () => {
    const front = await freePort();
    process.env['CLOUDFLARED_FRONT'] = String(front);
    const site = createServer((_, answer) => answer.end('here')).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const world = await open();
    const tunnel = world.with(undefined, { service: `http://127.0.0.1:${(site.address() as AddressInfo).port}` });
    await tunnel.apply({ revision: 1, hostnames: ['a.example.com'] });
    const asked = () => visit(`http://127.0.0.1:${front}/`, { host: 'a.example.com' });
    const visitor = new SteadyVisitor(async () => {
      // The kernel, which is in Cloudflare's place, resets who waits in the queue of a process that ends; Cloudflare would ask the other one.
      const { status } = await asked().catch((error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? asked() : Promise.reject(error)));
      return status === 200 ? undefined : String(status);
    });
    const first = world.pid();
    await tunnel.apply({ revision: 2, hostnames: ['a.example.com', 'b.example.com'] });
    const second = world.pid();
    rmSync(world.options.credentialsFile);
    await expect(tunnel.apply({ revision: 3, hostnames: ['a.example.com', 'c.example.com'] })).rejects.toThrow(/credentials file/);
    expect([await visitor.leave(), first === second, world.pid()]).toEqual([[], false, second]);
    delete process.env['CLOUDFLARED_FRONT'];
    site.close();
    await world.close();
  });

  it('is one again when who started another beside it died before that was up', async () => {
    const world = await open();
    await world.provider.apply({ revision: 1, hostnames: ['a.example.com'] });
    const begun = await new OwnTunnel(COMMAND, join(resolve(world.options.configFile, '..'), 'data', 'pid'), world.options.metrics, () => undefined).begin(world.options.configFile);
    for (const end = Date.now() + 10_000; Date.now() < end && !(await askTunnel(begun.metrics)); ) await sleep(20);
    expect(await Promise.all(metricsPair(world.options.metrics).map(askTunnel))).not.toContain(undefined);
    const next = world.restarted();
    await next.start();
    expect([await askTunnel(begun.metrics), await next.served()]).toEqual([undefined, { hostnames: ['a.example.com'] }]);
    await world.close();
  });

  it('says what cloudflared says, and leaves nothing when no configuration ever came up', async () => {
    const world = await open();
    rmSync(world.options.credentialsFile);
    await expect(world.provider.apply({ revision: 1, hostnames: ['a.example.com'] })).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/does not take the tunnel's configuration: .*credentials file/) });
    expect(existsSync(world.options.configFile)).toBe(false);
    await expect(world.with(new OwnTunnel('/no/such/cloudflared', `${world.options.configFile}.pid`, world.options.metrics, () => undefined)).apply({ revision: 1, hostnames: [] })).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/HOSTPLANE_TUNNEL_COMMAND\) cannot be run: .*ENOENT/) });
    await world.close();
  });

  it('may be restarted by a command of the operator, and is confirmed all the same', async () => {
    const world = await open();
    const folder = resolve(world.options.configFile, '..');
    writeFileSync(join(folder, 'restart.sh'), `[ -f pid.cmd ] && kill "$(cat pid.cmd)" && sleep 0.3; ${COMMAND} tunnel --config ${world.options.configFile} run >/dev/null 2>&1 & echo $! > pid.cmd\n`.replaceAll('pid.cmd', join(folder, 'pid.cmd')));
    const commanded = world.with(new CommandedTunnel(`sh ${join(folder, 'restart.sh')}`, world.options.metrics));
    for (const [i, name] of ['a.example.com', 'b.example.com'].entries()) {
      await commanded.apply({ revision: i + 1, hostnames: [name] });
      expect(await world.led()).toEqual([name]);
    }
    await commanded.stop();
    expect(await world.led()).toEqual(['b.example.com']);
    process.kill(Number(readFileSync(join(folder, 'pid.cmd'), 'utf8')), 'SIGTERM');
    for (const end = Date.now() + 10_000; Date.now() < end && (await askTunnel(world.options.metrics)); ) await sleep(20);
    await expect(world.with(new CommandedTunnel('false', world.options.metrics)).apply({ revision: 9, hostnames: ['c.example.com'] })).rejects.toMatchObject({ message: expect.stringMatching(/"false" \(HOSTPLANE_TUNNEL_RESTART\) failed/) });
    await world.close();
  });
});
