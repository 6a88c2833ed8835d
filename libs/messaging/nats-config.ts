import { allDurables } from './setup.js';
import { askSubject, BUS_USERS, DOORBELL, durablesOf, hostAddress, inboxPrefix, LOG_STREAM, resendSubject, DEAD_STREAM, SUBSCRIBER_DURABLE, vaultAsks, type BusUser, type Durable } from './subjects.js';

export interface NatsConfigOptions {
  readonly port: number;
  /** Folder for the streams. */
  readonly storeDir: string;
  readonly passwords: Readonly<Record<BusUser, string>>;
  /** Hosts whose provisioners take commands. */
  readonly hosts: readonly string[];
  /** Most that the streams may take of the disk. */
  readonly maxStoreBytes?: number;
  /** The cluster that this server is one of; without it, it stands alone. */
  readonly cluster?: NatsCluster;
}

export interface NatsCluster {
  /** The same for all its servers, as is the password: it lets a server in, and whoever is in sees everything. */
  readonly name: string;
  readonly password: string;
  /** Different for each: replicas and leaders are known by it. */
  readonly serverName: string;
  /** Where the other servers come in. */
  readonly port: number;
  /** host:port of every server's cluster port; its own may be among them. */
  readonly routes: readonly string[];
}

interface Permissions {
  readonly publish: { readonly allow: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
  /** Whoever answers requests may answer each once, so late. */
  readonly allow_responses?: { readonly max: number; readonly expires: string };
}

/** The text of nats-server's config: JetStream, loopback only, and a user for each app with nothing but its own subjects. */
export function renderNatsConfig(options: NatsConfigOptions): string {
  const { port, storeDir, passwords, hosts, maxStoreBytes = 10 * 2 ** 30, cluster } = options;
  const users = BUS_USERS.map((user) => ({ user, password: passwords[user], ...permissionsOf(user, hosts) }));
  const config = {
    server_name: cluster?.serverName ?? 'hostplane',
    host: '127.0.0.1',
    port,
    max_payload: 2 ** 20,
    jetstream: { store_dir: storeDir, max_memory_store: 64 * 2 ** 20, max_file_store: maxStoreBytes },
    authorization: { users },
    ...(cluster && { cluster: clusterBlock(cluster) }),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function clusterBlock({ name, password, port, routes }: NatsCluster): object {
  const user = 'route';
  const urls = routes.map((route) => `nats-route://${user}:${encodeURIComponent(password)}@${route}`);
  return { name, host: '127.0.0.1', port, authorization: { user, password }, routes: urls };
}

/** What a user may do; admin may do everything. */
export function permissionsOf(user: BusUser, hosts: readonly string[]): { permissions?: Permissions } {
  const inbox = `${inboxPrefix(user)}.>`;
  const answers = { max: 1, expires: '15m' };
  switch (user) {
    case 'admin':
      return {};
    case 'relay':
      return { permissions: { publish: { allow: ['evt.>', 'cmd.>', DOORBELL, ...restoring(hosts)] }, subscribe: { allow: [inbox, DOORBELL] } } };
    case 'api-gateway':
      return { permissions: { publish: { allow: [DOORBELL, ...asking('lifecycle', 'domains', ...hosts.map(hostAddress)), ...vaultAsks(user)] }, subscribe: { allow: [inbox, DOORBELL] } } };
    case 'subscriber':
      return { permissions: { publish: { allow: pulling([SUBSCRIBER_DURABLE]) }, subscribe: { allow: [inbox, 'evt.>'] } } };
    case 'provisioner':
      return { permissions: worker(hosts.map(hostAddress), hosts.flatMap((host) => durablesOf(user, host)), inbox, answers, vaultAsks(user)) };
    case 'domains':
      return { permissions: worker([user], durablesOf(user), inbox, answers, vaultAsks(user)) };
    default:
      return { permissions: worker([user], durablesOf(user), inbox, answers) };
  }
}

function worker(addresses: readonly string[], durables: readonly Durable[], inbox: string, answers: Permissions['allow_responses'], asks: readonly string[] = []): Permissions {
  const served = [...asking(...addresses), ...new Set(durables.map(({ name }) => resendSubject(name)))];
  return {
    publish: { allow: [DOORBELL, ...asks, ...pulling(durables)] },
    subscribe: { allow: [inbox, DOORBELL, ...served] },
    ...(answers && { allow_responses: answers }),
  };
}

/** Every ask of some apps or hosts, to put or to answer. */
function asking(...addresses: readonly string[]): string[] {
  return addresses.map((address) => askSubject(address, '>'));
}

/** What it takes to work on durables. Acknowledgements have two forms of subject, by the server's version; both are allowed. */
function pulling(durables: readonly Durable[]): string[] {
  return durables.flatMap(({ name }) => [
    `$JS.API.CONSUMER.INFO.${LOG_STREAM}.${name}`,
    `$JS.API.CONSUMER.MSG.NEXT.${LOG_STREAM}.${name}`,
    `$JS.ACK.${LOG_STREAM}.${name}.>`,
    `$JS.ACK.*.*.${LOG_STREAM}.${name}.>`,
  ]);
}

/** What it takes to see where the stream is, and to make again what was lost; not to change or delete what is there. */
function restoring(hosts: readonly string[]): string[] {
  return [
    ...[LOG_STREAM, DEAD_STREAM].flatMap((stream) => [`$JS.API.STREAM.INFO.${stream}`, `$JS.API.STREAM.CREATE.${stream}`]),
    `$JS.API.STREAM.MSG.GET.${LOG_STREAM}`,
    `$JS.API.CONSUMER.LIST.${LOG_STREAM}`,
    ...allDurables(hosts).map(({ name }) => `$JS.API.CONSUMER.DURABLE.CREATE.${LOG_STREAM}.${name}`),
  ];
}
