import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { testImage } from '../../infra/images/recipes.js';
import type { SiteView } from '../support/api.js';
import { describeWithDocker, isOpen } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

const PORT = 8080;

interface Cell {
  readonly site: SiteView;
  readonly container: Docker.Container;
  readonly address: string;
  readonly gateway: string;
}

describeWithDocker('the wall of a project', () => {
  let plane: Plane;
  let [inside, neighbour, outside]: Cell[] = [];
  const docker = new Docker();

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '30' } });
    for (const name of ['one', 'two']) await plane.api.call('POST', '/projects', { name });
    const places = [['inside', 'one'], ['neighbour', 'one'], ['outside', 'two']] as const;
    [inside, neighbour, outside] = await Promise.all(places.map(([name, projectId]) => cell(name, projectId)));
  }, 180_000);
  afterAll(async () => {
    const sites = [inside, neighbour, outside].flatMap((one) => one?.site ?? []);
    for (const { id } of sites) await plane.api.call('DELETE', `/sites/${id}`);
    await Promise.all(sites.map(({ id }) => plane.api.settled(id, ['DESTROYED'])));
    await plane?.stop();
  }, 120_000);

  async function cell(name: string, projectId: string): Promise<Cell> {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name, projectId, kind: 'app', image: testImage('app'), port: PORT, healthPath: '/health' });
    const site = await plane.api.settled(created.body.id, ['ACTIVE']);
    const [found] = await docker.listContainers({ filters: { label: [`hostplane.site=${site.id}`] } });
    const container = docker.getContainer(found!.Id);
    const [network] = Object.values((await container.inspect()).NetworkSettings.Networks);
    return { site, container, address: network!.IPAddress, gateway: network!.Gateway };
  }

  /** Runs a script of busybox' shell in a site's container; answers what it printed. */
  async function shell({ container }: Cell, script: string): Promise<string> {
    const exec = await container.exec({ Cmd: ['/bin/busybox', 'sh', '-c', script], AttachStdout: true, Tty: true });
    return (await buffer(await exec.start({ Tty: true }))).toString().trim();
  }

  /** Those of the addresses with a port, `host:port`, to which TCP connections can be made from the site. */
  async function reached(from: Cell, places: readonly string[]): Promise<string[]> {
    let left = places;
    await isOpen(async () => (left = await connected(from, left)).length > 0);
    return [...left];
  }

  async function connected(from: Cell, places: readonly string[]): Promise<string[]> {
    const tries = places.map((place) => {
      const at = place.lastIndexOf(':');
      const [host, port] = [place.slice(0, at), place.slice(at + 1)];
      return `(busybox nc -w 2 ${host} ${port} -e /bin/busybox true </dev/null >/dev/null 2>&1 && echo ${place}) &`;
    });
    return (await shell(from, `PATH=/bin; ${tries.join('\n')}\nwait`)).split(/\s+/).filter((line) => line !== '').sort();
  }

  it('lets sites of one project reach each other, and of two projects neither the one nor the other', async () => {
    const [here, near, far] = [inside!, neighbour!, outside!].map(({ address }) => `${address}:${PORT}`);
    expect(await reached(inside!, [here!, near!, far!])).toEqual([here, near].sort());
    expect(await reached(neighbour!, [here!, far!])).toEqual([here]);
    expect(await reached(outside!, [here!, near!, far!])).toEqual([far]);
  }, 60_000);

  it('cannot be gone round: by the gateway of the other project, or a name in it', async () => {
    const name = (await outside!.container.inspect()).Name.slice(1);
    expect(await reached(inside!, [`${outside!.gateway}:${PORT}`, `${inside!.gateway}:${PORT}`, `${name}:${PORT}`, `${outside!.container.id.slice(0, 12)}:${PORT}`])).toEqual([]);
  }, 60_000);

  it('keeps its sites from the log, the bus, the API and the edge of the plane, by every address of this machine', async () => {
    const ports = [plane.databaseUrl, plane.natsUrl, plane.api.base].map((url) => new URL(url).port).concat(String(plane.edgePort), String(plane.edgeTlsPort));
    const hosts = [...new Set([inside!.gateway, outside!.gateway, '127.0.0.1', '172.17.0.1', ...Object.values(networkInterfaces()).flatMap((all) => all ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address)])].slice(0, 12);
    expect(ports.every((port) => Number(port) > 0)).toBe(true);
    expect(await reached(inside!, hosts.flatMap((host) => ports.map((port) => `${host}:${port}`)))).toEqual([]);
    // The look would find something that listens on all addresses, so that nothing found means something.
    const open = createServer().listen(0, '0.0.0.0');
    await once(open, 'listening');
    open.unref();
    const place = `${inside!.gateway}:${(open.address() as { port: number }).port}`;
    expect(await reached(inside!, [place])).toEqual([place]);
    open.close();
  }, 60_000);

  it('has nothing of the plane in it: neither its servers’ addresses nor an engine', async () => {
    const planted = [plane.databaseUrl, plane.natsUrl].map((url) => new URL(url).password);
    const seen = await shell(inside!, 'PATH=/bin; busybox env; busybox cat /proc/self/mountinfo; busybox ls /run /var/run 2>&1');
    for (const word of [...planted, 'docker.sock', plane.folder, readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()].filter((one) => one !== '')) expect(seen).not.toContain(word);
  });
});
