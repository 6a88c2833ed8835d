import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { describeWithDocker } from '../support/docker.js';
import { MortalPlane } from './mortal-plane.js';

jest.setTimeout(900_000);

describeWithDocker('a launch and a removal in a container', () => {
  let mortal: MortalPlane;
  beforeAll(async () => {
    mortal = await MortalPlane.start();
  });
  afterAll(() => mortal?.stop());

  /** What the engine still has of this plane. */
  async function labelled(): Promise<string[]> {
    const docker = new Docker();
    const filters = { label: [`hostplane.plane=${readFileSync(join(mortal.plane.folder, 'plane-id'), 'utf8').trim()}`] };
    const [containers, networks, volumes] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listNetworks({ filters }), docker.listVolumes({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...networks.map(({ Name }) => Name), ...volumes.Volumes.map(({ Name }) => Name)];
  }

  it('survive kill -9 of the provisioner before and after each change that it asks of the engine', async () => {
    const changes = (await mortal.traced('docker')).filter(({ point }) => /^docker:(?!list|inspect|version)/.test(point));
    await mortal.dieAtEach(changes, 'docker');
    expect(await labelled()).toEqual([]);
  });
});
