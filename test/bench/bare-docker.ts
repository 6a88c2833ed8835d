import Docker from 'dockerode';
import { testImage } from '../../infra/images/recipes.js';
import { untilServed } from './until-served.js';

/** Containers by nothing but calls of the engine: what a site in Docker costs at least. Everything bears a label of its own. */
export class BareDocker {
  private count = 0;

  private constructor(
    private readonly docker: Docker,
    private readonly label: string,
    private readonly prefix: string,
  ) {}

  /** With a network whose addresses begin so, for example 10.80.255. */
  static async start(prefix: string): Promise<BareDocker> {
    const bare = new BareDocker(new Docker(), `hostplane-bench-${prefix.replaceAll('.', '-')}-${process.pid}`, prefix);
    await bare.docker.createNetwork({ Name: bare.label, Labels: { [bare.label]: '' }, IPAM: { Driver: 'default', Config: [{ Subnet: `${prefix}.0/24`, Gateway: `${prefix}.1` }] } });
    return bare;
  }

  /** Creates and starts a container; answers its address. */
  async launch(): Promise<string> {
    const address = `${this.prefix}.${2 + (this.count++ % 250)}`;
    const container = await this.docker.createContainer({
      Image: testImage('static'),
      Labels: { [this.label]: '' },
      HostConfig: { NetworkMode: this.label },
      NetworkingConfig: { EndpointsConfig: { [this.label]: { IPAMConfig: { IPv4Address: address } } } },
    });
    await container.start();
    return address;
  }

  /** The same until it answers. */
  async launchHealthy(): Promise<string> {
    const address = await this.launch();
    await untilServed(`http://${address}/`);
    return address;
  }

  async launchMany(count: number, abreast: number): Promise<void> {
    let left = count;
    await Promise.all(Array.from({ length: abreast }, async () => {
      while (left-- > 0) await this.launch();
    }));
  }

  /** Removes every container. */
  async clear(): Promise<void> {
    const containers = await this.docker.listContainers({ all: true, filters: { label: [this.label] } });
    for (const { Id } of containers) await this.docker.getContainer(Id).remove({ force: true });
  }

  async stop(): Promise<void> {
    await this.clear();
    await this.docker.getNetwork(this.label).remove();
  }
}
