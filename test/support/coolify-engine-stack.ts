import Docker from 'dockerode';
import { framesOf, wholeLines } from '#providers/docker/output.js';
import type { PlannedContainer, Stack } from './coolify-compose.js';

/** What a service is on a real Docker Engine: containers, volumes and a network that have its uuid in their names. */
export class EngineStack implements Stack {
  private readonly docker = new Docker();

  constructor(private readonly uuid: string) {}

  async up(containers: readonly PlannedContainer[]): Promise<void> {
    for (const { image } of containers) await this.docker.getImage(image).inspect();
    await this.down();
    if (!(await this.networks()).length) await this.docker.createNetwork({ Name: this.uuid });
    for (const planned of containers) await (await this.docker.createContainer(this.request(planned))).start();
  }

  async down(): Promise<void> {
    await Promise.all((await this.containers()).map(async ({ Id }) => {
      const container = this.docker.getContainer(Id);
      await container.stop({ t: 10 }).catch(() => undefined);
      await container.remove({ force: true });
    }));
  }

  async forget(volumes: boolean, network: boolean): Promise<void> {
    if (volumes) for (const name of await this.volumes()) await this.docker.getVolume(name).remove();
    if (network) for (const name of await this.networks()) await this.docker.getNetwork(name).remove();
  }

  async status(): Promise<string> {
    const states = (await this.containers()).map(({ State }) => State);
    if (states.length === 0 || states.every((state) => state === 'exited')) return 'exited';
    if (states.includes('restarting')) return 'restarting:unhealthy';
    return states.every((state) => state === 'running') ? 'running:unknown' : 'degraded:unhealthy';
  }

  async log(name: string): Promise<string | undefined> {
    const found = (await this.containers()).find(({ Names }) => Names.includes(`/${name}-${this.uuid}`));
    return found && wholeLines(framesOf(await this.docker.getContainer(found.Id).logs({ stdout: true, stderr: true, follow: false })));
  }

  async left(): Promise<string[]> {
    const containers = (await this.containers()).flatMap(({ Names }) => Names);
    return [...containers.map((name) => `container ${name}`), ...(await this.volumes()).map((name) => `volume ${name}`), ...(await this.networks()).map((name) => `network ${name}`)];
  }

  private request({ name, image, entrypoint, command, env, ports, volumes, tmpfs, user, readOnly, capDrop, securityOpt, memoryBytes, cpus, pids, restart }: PlannedContainer): Docker.ContainerCreateOptions {
    return {
      name: `${name}-${this.uuid}`,
      Image: image,
      ...(entrypoint && { Entrypoint: entrypoint }),
      ...(command && { Cmd: command }),
      Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      User: user,
      ExposedPorts: Object.fromEntries(ports.map(({ container }) => [`${container}/tcp`, {}])),
      NetworkingConfig: { EndpointsConfig: { [this.uuid]: { Aliases: [name] } } },
      HostConfig: {
        NetworkMode: this.uuid,
        RestartPolicy: { Name: restart },
        PortBindings: Object.fromEntries(ports.map(({ host, container }) => [`${container}/tcp`, [{ HostIp: '127.0.0.1', HostPort: String(host) }]])),
        Mounts: volumes.map(({ source, target }) => ({ Type: 'volume', Source: `${this.uuid}_${source}`, Target: target })),
        Tmpfs: { ...tmpfs },
        ReadonlyRootfs: readOnly,
        CapDrop: capDrop,
        SecurityOpt: securityOpt,
        Memory: memoryBytes,
        MemorySwap: memoryBytes,
        NanoCpus: cpus * 1e9,
        PidsLimit: pids,
      },
    };
  }

  private containers(): Promise<Docker.ContainerInfo[]> {
    return this.docker.listContainers({ all: true, filters: { name: [`-${this.uuid}$`] } });
  }

  private async volumes(): Promise<string[]> {
    const { Volumes } = await this.docker.listVolumes({ filters: { name: [`${this.uuid}_`] } });
    return Volumes.map(({ Name }) => Name);
  }

  private async networks(): Promise<string[]> {
    return (await this.docker.listNetworks({ filters: { name: [`^${this.uuid}$`] } })).map(({ Name }) => Name);
  }
}
