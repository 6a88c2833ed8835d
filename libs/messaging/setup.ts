import { setTimeout as sleep } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType, type JetStreamManager, type StreamConfig } from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import {
  DEAD_STREAM, durablesOf, hostDurable, LOG_STREAM, PARTITION_TRANSFORM, PARTITIONED_APPS, SUBSCRIBER_DURABLE, type Durable,
} from './subjects.js';

export interface BusSetup {
  /** Hosts whose provisioners take commands. */
  readonly hosts: readonly string[];
  /** 1, or 3 on a cluster. */
  readonly replicas?: number;
  /** After so long without a sign of life a message is given to the next worker. */
  readonly ackWaitMs?: number;
  /** Times a message is given out before it becomes a dead letter. */
  readonly maxDeliveries?: number;
}

/** JetStream's error code for a stream that is not there. */
const STREAM_NOT_FOUND = 10059;
/** Its code for fewer servers than the stream is to have replicas. */
const NO_SUITABLE_PEERS = 10005;
const PEERS_WITHIN_MS = 45_000;
const PEERS_POLL_MS = 200;

/**
 * Makes the streams and the durables of every app, or leaves them as they are: doing it again changes nothing. Needs a user that may
 * (admin, or relay for what is missing).
 */
export async function setupBus(connection: NatsConnection, setup: BusSetup): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  for (const stream of streamsOf(setup)) await ensureStream(manager, stream);
  const { ackWaitMs = 5_000, maxDeliveries = 10, replicas = 1 } = setup;
  for (const durable of allDurables(setup.hosts)) {
    await manager.consumers.add(LOG_STREAM, {
      durable_name: durable.name,
      filter_subjects: [...durable.filters],
      deliver_policy: DeliverPolicy.All,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      max_deliver: durable.name === SUBSCRIBER_DURABLE.name ? -1 : maxDeliveries,
      max_ack_pending: durable.maxAckPending,
      num_replicas: replicas,
    });
  }
}

export function allDurables(hosts: readonly string[]): readonly Durable[] {
  return [...PARTITIONED_APPS.flatMap((app) => durablesOf(app)), ...hosts.map(hostDurable), SUBSCRIBER_DURABLE];
}

/** Names of the streams and durables that setupBus would make. */
export async function missingOnBus(manager: JetStreamManager, setup: BusSetup): Promise<readonly string[]> {
  const streams = [];
  for (const { name } of streamsOf(setup)) if (!(await hasStream(manager, name))) streams.push(name);
  if (streams.includes(LOG_STREAM)) return streams;
  const present = new Set<string>();
  for await (const { name } of manager.consumers.list(LOG_STREAM)) present.add(name);
  return [...streams, ...allDurables(setup.hosts).flatMap(({ name }) => (present.has(name) ? [] : name))];
}

async function hasStream(manager: JetStreamManager, name: string): Promise<boolean> {
  try {
    await manager.streams.info(name);
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return false;
    throw error;
  }
}

type Stream = Partial<StreamConfig> & { readonly name: string };

function streamsOf({ replicas = 1 }: BusSetup): readonly Stream[] {
  const kept = { storage: StorageType.File, retention: RetentionPolicy.Limits, num_replicas: replicas };
  const advisory = (kind: string): string => `$JS.EVENT.ADVISORY.CONSUMER.${kind}.${LOG_STREAM}.>`;
  return [
    {
      ...kept,
      name: LOG_STREAM,
      description: 'The log, position for position: the sequence of a message is its position.',
      subjects: ['evt.>', 'cmd.>'],
      subject_transform: PARTITION_TRANSFORM,
      duplicate_window: nanos(120_000),
      deny_delete: true,
      deny_purge: true,
    },
    {
      ...kept,
      name: DEAD_STREAM,
      description: 'What was given up: notices of the server about messages of LOG.',
      subjects: [advisory('MAX_DELIVERIES'), advisory('MSG_TERMINATED')],
    },
  ];
}

async function ensureStream(manager: JetStreamManager, stream: Stream): Promise<void> {
  if (!(await hasStream(manager, stream.name))) return addStream(manager, stream);
  const { config } = await manager.streams.info(stream.name);
  const same = config.num_replicas === stream.num_replicas && String(config.subjects) === String(stream.subjects);
  if (!same) await manager.streams.update(stream.name, stream);
}

/** A cluster that has just come up has a leader before it knows all of its servers: a stream with a replica on each of them is refused until then. */
async function addStream(manager: JetStreamManager, stream: Stream): Promise<void> {
  for (const end = Date.now() + PEERS_WITHIN_MS; ; await sleep(PEERS_POLL_MS)) {
    try {
      await manager.streams.add(stream);
      return;
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== NO_SUITABLE_PEERS || Date.now() > end) throw error;
    }
  }
}
