import { createServer, type Server } from 'node:http';
import { parse } from 'yaml';

/** A container as a compose file has it, with its variables in their places. */
export interface PlannedContainer {
  readonly name: string;
  readonly image: string;
  readonly entrypoint?: string[];
  readonly command?: string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly host: number; readonly container: number }[];
  readonly volumes: readonly { readonly source: string; readonly target: string }[];
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly user: string;
  readonly readOnly: boolean;
  readonly capDrop: string[];
  readonly securityOpt: string[];
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly restart: string;
}

/** What runs of a service. Its volumes and its network outlast its containers. */
export interface Stack {
  /** Brings all containers up anew; fails as compose does when an image is missing or a port is somebody's. */
  up(containers: readonly PlannedContainer[]): Promise<void>;
  down(): Promise<void>;
  /** What is left of the service once its containers are gone. */
  forget(volumes: boolean, network: boolean): Promise<void>;
  /** As Coolify sums up its containers. */
  status(): Promise<string>;
  /** Undefined: there is no such container. */
  log(name: string): Promise<string | undefined>;
  /** Names of all that is there of it. */
  left(): Promise<string[]>;
}

export type MakeStack = (uuid: string) => Stack;

interface ComposePart {
  readonly image: string;
  readonly entrypoint?: string[];
  readonly command?: string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: string[];
  readonly security_opt: string[];
  readonly mem_limit: number;
  readonly cpus: number;
  readonly pids_limit: number;
  readonly restart: string;
}

const KNOWN = ['image', 'entrypoint', 'command', 'environment', 'ports', 'volumes', 'tmpfs', 'user', 'read_only', 'cap_drop', 'security_opt', 'mem_limit', 'memswap_limit', 'cpus', 'pids_limit', 'restart', 'stop_grace_period'];

/** The containers of a compose file. All variables of the service reach each of them, as Coolify has it; a key that nobody here knows is an error. */
export function planned(compose: string, variables: Readonly<Record<string, string>>): PlannedContainer[] {
  const { services } = parse(compose) as { services: Record<string, ComposePart> };
  return Object.entries(services).map(([name, service]) => {
    const unknown = Object.keys(service).filter((key) => !KNOWN.includes(key));
    if (unknown.length > 0) throw new Error(`Nobody here knows what ${unknown.join(', ')} of ${name} is.`);
    const { environment, ports = [], volumes = [], tmpfs = [], ...said } = filled(service, variables) as ComposePart;
    return {
      ...said, name, capDrop: said.cap_drop, securityOpt: said.security_opt, readOnly: said.read_only, memoryBytes: said.mem_limit, pids: said.pids_limit,
      env: { ...variables, ...environment },
      ports: ports.map((port) => ({ host: Number(port.split(':')[0]), container: Number(port.split(':')[1]) })),
      volumes: volumes.map((volume) => ({ source: volume.split(':')[0]!, target: volume.split(':')[1]! })),
      tmpfs: Object.fromEntries(tmpfs.map((one) => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)])),
    };
  });
}

/** Names of the variables that a compose file asks for. */
export const variablesIn = (compose: string): string[] => [...compose.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!);

function filled(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((one) => filled(one, variables));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, variables)]));
  if (typeof value !== 'string') return value;
  return value.replace(/\$\$|\$\{(\w+)\}|\$./g, (found, name: string | undefined) => {
    if (found === '$$') return '$';
    if (name === undefined) throw new Error(`invalid interpolation format: ${found}`);
    return variables[name] ?? '';
  });
}

/**
 * A WordPress with its database without an engine, for what is about Coolify alone: it shows its image's tag. The tag says how it is: `missing…` is no image, `unhealthy` ends
 * over and over, `failing` answers with errors.
 */
export class PretendedStack implements Stack {
  private readonly volumes = new Set<string>();
  private readonly lines = new Map<string, string>();
  private hasNetwork = false;
  private server: Server | undefined;
  private state = 'exited';

  constructor(private readonly uuid: string) {}

  async up(containers: readonly PlannedContainer[]): Promise<void> {
    await this.down();
    this.hasNetwork = true;
    for (const { volumes } of containers) for (const { source } of volumes) this.volumes.add(`${this.uuid}_${source}`);
    const [php, database] = containers as [PlannedContainer, PlannedContainer];
    const tag = php.image.split(':').at(-1)!;
    if (tag.startsWith('missing')) throw new Error(`manifest for ${php.image} not found`);
    const passwords = [php.env['SITE_DATABASE_PASSWORD'], php.env['SITE_ADMIN_PASSWORD'], database.env['MARIADB_PASSWORD']];
    const isBroken = tag === 'unhealthy' || passwords.some((one) => !one);
    this.lines.set(php.name, isBroken ? `ending as I was told, with ${passwords.join(' and ')}` : 'serving');
    const server = createServer((request, response) => {
      if (isBroken) return void request.socket.destroy();
      const version = request.headers['x-hostplane-version'] ? { 'x-hostplane-version': php.env['SITE_VERSION']! } : {};
      response.writeHead(tag === 'failing' ? 500 : 200, { connection: 'close', ...version }).end(tag);
    });
    const { host } = php.ports[0]!;
    await new Promise<void>((resolve, reject) => {
      server.once('error', () => reject(new Error(`Bind for 0.0.0.0:${host} failed: port is already allocated`)));
      server.listen(host, '127.0.0.1', resolve);
    });
    this.server = server;
    this.state = isBroken ? 'restarting:unhealthy' : 'running:unknown';
  }

  async down(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    this.state = 'exited';
    this.lines.clear();
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  forget(volumes: boolean, network: boolean): Promise<void> {
    if (volumes) this.volumes.clear();
    if (network) this.hasNetwork = false;
    return Promise.resolve();
  }

  status(): Promise<string> {
    return Promise.resolve(this.state);
  }

  log(name: string): Promise<string | undefined> {
    return Promise.resolve(this.lines.get(name));
  }

  left(): Promise<string[]> {
    return Promise.resolve([...(this.server ? [`container ${this.uuid}`] : []), ...[...this.volumes].map((name) => `volume ${name}`), ...(this.hasNetwork ? [`network ${this.uuid}`] : [])]);
  }
}
