import type { MessageType } from '#contracts/registry.js';

/** What has a user of its own on the bus. `admin` sets it up, `subscriber` is for outsiders and reads only. */
export const BUS_USERS = ['admin', 'relay', 'lifecycle', 'domains', 'secrets', 'provisioner', 'api-gateway', 'subscriber'] as const;

export type BusUser = (typeof BUS_USERS)[number];

/** Apps with several instances, whose order per key is kept by partitions. */
export const PARTITIONED_APPS = ['lifecycle', 'domains', 'secrets'] as const;

export type PartitionedApp = (typeof PARTITIONED_APPS)[number];

/** The stream that is the log, position for position. */
export const LOG_STREAM = 'LOG';

/** The stream of what was given up: the server's own notices, read by dead-letters.ts. */
export const DEAD_STREAM = 'DEAD';

/** Core subject that wakes whoever follows the log; its payload is the position of the last append. */
export const DOORBELL = 'bell.log';

/** How many shares the work of an app is cut into, so also how many instances of it can work at once. */
export const PARTITIONS = 8;

/**
 * A message with a four-token subject is stored with its partition as the fifth: `evt.site.SiteActivated.<key>.<partition>`.
 * Commands to a host have five tokens already and stay as they are: a host has one provisioner.
 */
export const PARTITION_TRANSFORM = {
  src: '*.*.*.*',
  dest: `{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}.{{partition(${PARTITIONS},4)}}`,
};

export interface Durable {
  readonly name: string;
  /** Stored subjects that it is given. */
  readonly filters: readonly string[];
  /** Most messages that are out for work at once, over all instances. */
  readonly maxAckPending: number;
}

/** The events that an app is given: lifecycle all, domains what an edge has done. */
const events: Readonly<Record<PartitionedApp, readonly string[]>> = { lifecycle: ['evt.*.*.*'], domains: ['evt.edge.*.*'], secrets: [] };

/** The durable of one share of an app's work. At most one message of it is out at any time: that is what keeps order over instances. */
export function partitionDurable(app: PartitionedApp, partition: number): Durable {
  const commands = `cmd.${app}.*.*.${partition}`;
  const filters = [...events[app].map((subject) => `${subject}.${partition}`), commands];
  return { name: `${app}-${partition}`, filters, maxAckPending: 1 };
}

/** The durable of a host's provisioner: many are out at once, the worker keeps the order per key. */
export function hostDurable(hostId: string): Durable {
  return { name: `provisioner-${hostId}`, filters: [`cmd.host.${hostId}.>`], maxAckPending: 256 };
}

/** The durable that outsiders read events with. */
export const SUBSCRIBER_DURABLE: Durable = { name: 'subscriber', filters: ['evt.>'], maxAckPending: 1000 };

/** The durables that an instance of an app works on. */
export function durablesOf(app: string, hostId?: string): readonly Durable[] {
  if (hostId !== undefined) return [hostDurable(hostId)];
  if (!isPartitioned(app)) return [];
  return Array.from({ length: PARTITIONS }, (_, partition) => partitionDurable(app, partition));
}

/** What the gateway (for a member, or whoever runs the plane), the provisioners and domains (for certificates) may ask of secrets; nobody else may ask it anything. */
const VAULT_ASKS = { 'api-gateway': ['ShowPublicKey', 'StoreSecret', 'RevealSecret', 'RotateSecret', 'RevokeSecret', 'RotateMasterKey'], provisioner: ['OpenSecrets'], domains: ['MakeSigningRequest', 'OpenAccountKey'] } as const satisfies Partial<Record<BusUser, readonly MessageType[]>>;

export function vaultAsks(user: keyof typeof VAULT_ASKS): readonly string[] {
  return VAULT_ASKS[user].map((type) => askSubject('secrets', type));
}

/** Who is asked when it is the provisioner of a host: asks name it as they name an app. */
export function hostAddress(hostId: string): string {
  return `host.${hostId}`;
}

/** What people call whoever is asked, as in "No provisioner of host local answers". */
export function calledBy(asked: string): string {
  return asked.startsWith(hostAddress('')) ? `provisioner of host ${asked.slice(hostAddress('').length)}` : asked;
}

/** Where an app, or a host's provisioner by its address, hears asks. */
export function askSubject(asked: string, type: string): string {
  return `ask.${asked}.${type}`;
}

/** Where a dead letter is handed to the app whose work it was. */
export function resendSubject(durable: string): string {
  const app = PARTITIONED_APPS.find((name) => new RegExp(`^${name}-\\d+$`).test(durable));
  return `resend.${app ?? durable}`;
}

/** The prefix of the answers to a user's requests; nobody else may listen there. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}

function isPartitioned(app: string): app is PartitionedApp {
  return (PARTITIONED_APPS as readonly string[]).includes(app);
}
