import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { testImage } from '../../../infra/images/recipes.js';
import { describeWithDocker } from '../../../test/support/docker.js';
import { edgeContract, type EdgeUnderTest } from '../contract/edge.contract.js';
import { edgeRulesContract } from '../contract/edge-rules.contract.js';
import { edgeTlsContract } from '../contract/edge-tls.contract.js';
import { freePort } from '../../../infra/start/ports.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { ContainerNginx } from './container-nginx.js';
import { EDGE_LABEL } from './container-request.js';
import { LocalNginx } from './local-nginx.js';
import { NginxEdge } from './nginx-edge.js';

const IMAGE = testImage('nginx');
const docker = new Docker();
const planes: string[] = [];

const containersOf = (planeId: string) => docker.listContainers({ all: true, filters: { label: [`${EDGE_LABEL}=${planeId}`] } });

describeWithDocker('nginx in a container', () => {
  const underTest: EdgeUnderTest = {
    make: (settings) => {
      planes.push(settings.planeId);
      return new NginxEdge(settings, new ContainerNginx(settings, IMAGE));
    },
    kill: async (settings) => {
      for (const { Id } of await containersOf(settings.planeId)) await docker.getContainer(Id).kill();
    },
  };
  edgeContract('nginx in a container', underTest);
  edgeRulesContract('nginx in a container', underTest);
  edgeTlsContract('nginx in a container', underTest);
});

describeWithDocker('nginx in a container, beside others', () => {
  afterAll(async () => {
    for (const planeId of planes) {
      for (const { Id } of await containersOf(planeId)) await docker.getContainer(Id).remove({ force: true });
    }
  });

  it('leaves no container behind when it is stopped', async () => {
    expect((await Promise.all(planes.map(containersOf))).flat()).toEqual([]);
  });

  it('is not taken for an orphan of the local nginx', async () => {
    if ((await new LocalNginx({} as EdgeSettings).available()) !== true) return;
    const folder = await mkdtemp(join(tmpdir(), 'hostplane-edges-'));
    const [httpPort, httpsPort] = [await freePort(), await freePort()];
    const settings = { planeId: `plane-${httpPort}`, folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort, httpsPort, baseDomain: 'localhost' };
    planes.push(settings.planeId);
    const inContainer = new NginxEdge(settings, new ContainerNginx(settings, IMAGE));
    await inContainer.start();
    const before = await inContainer.served();
    await expect(new LocalNginx(settings).start(join(settings.folder, 'current', 'nginx.conf'))).rejects.toThrow('is taken');
    expect(await inContainer.served()).toEqual(before);
    await inContainer.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('says what it misses', async () => {
    expect(await new ContainerNginx({} as EdgeSettings, 'hostplane/no-such-image', new Docker({ socketPath: '/nowhere/docker.sock' })).available()).toContain('no container engine answers');
    expect(await new ContainerNginx({} as EdgeSettings, 'hostplane/no-such-image').available()).toContain('hostplane/no-such-image');
  });
});
