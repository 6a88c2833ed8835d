import { connect, type NatsConnection, type QueuedIterator, type Status } from '@nats-io/transport-node';
import { inboxPrefix } from './subjects.js';
import { Unavailable } from './unavailable.js';

export interface BusAddress {
  /** nats://user:password@host:port, several separated by commas; the first names the user. */
  readonly url: string;
  /** Shown in the server's list of connections and in log lines. */
  readonly name: string;
}

export interface BusLog {
  log(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

/**
 * A connection that waits for the server at first, and comes back by itself for ever. A user or password that the server does not
 * take is an error at once.
 */
export async function connectBus({ url, name }: BusAddress, log: BusLog): Promise<NatsConnection> {
  const servers = url.split(',').map((one) => new URL(one.includes('://') ? one : `nats://${one}`));
  const { username, password } = servers[0]!;
  const connection = await connect({
    servers: servers.map((server) => server.host),
    name,
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    inboxPrefix: inboxPrefix(username ? decodeURIComponent(username) : name),
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 150,
    pingInterval: 10_000,
    noAsyncTraces: true,
  });
  void watch(connection, name, servers[0]!.host, log);
  void connection.closed().then((error) => {
    if (error) log.error(`${name}: the bus at ${servers[0]!.host} has closed the connection for good: ${error.message}`);
  });
  return connection;
}

const away = new WeakSet<NatsConnection>();

/** Whether the server is there right now. */
export function isConnected(connection: NatsConnection): boolean {
  return !connection.isClosed() && !away.has(connection);
}

/**
 * Asks something of the server, and fails with Unavailable as soon as the server is away: what was sent is lost with it, and its answer
 * would be waited for until its time-out.
 */
export async function whileConnected<T>(connection: NatsConnection, ask: () => Promise<T>): Promise<T> {
  if (!isConnected(connection)) throw new Unavailable('The bus is away.');
  const statuses = connection.status() as QueuedIterator<Status>;
  const gone = (async (): Promise<never> => {
    for await (const status of statuses) if (status.type === 'disconnect') break;
    throw new Unavailable('The bus went away.');
  })();
  gone.catch(() => undefined);
  try {
    return await Promise.race([ask(), gone]);
  } finally {
    statuses.stop();
  }
}

async function watch(connection: NatsConnection, name: string, host: string, log: BusLog): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') {
      away.add(connection);
      log.warn(`${name}: the bus at ${host} is away; trying again until it is back.`);
    }
    if (status.type === 'reconnect') {
      away.delete(connection);
      log.log(`${name}: the bus at ${host} is back.`);
    }
    if (status.type === 'error') log.error(`${name}: the bus says: ${status.error.message}`);
  }
}
