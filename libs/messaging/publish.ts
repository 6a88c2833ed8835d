import type { PubAck } from '@nats-io/jetstream';
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { subjectOf } from '#contracts/routing.js';
import type { StoredMessage } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import { whileConnected } from './connection.js';
import { envelopeOf, type RawMessage } from './envelope.js';
import { LOG_STREAM } from './subjects.js';

/** One acknowledgement answers for so many messages: each is stored only right after the one before it, so the last vouches for all. */
const ACK_EVERY = 64;
const ACK_TIMEOUT_MS = 2_500;

/** Publishes messages that follow one another and resolves with the position of the last once the stream holds them all. */
export async function publishBatch(connection: NatsConnection, messages: readonly RawMessage[]): Promise<number> {
  reached('relay:before-publish');
  const settled = await whileConnected(connection, () => Promise.allSettled(send(connection, messages)));
  const failed = settled.find((ack) => ack.status === 'rejected');
  if (failed) throw failed.reason;
  reached('relay:after-publish');
  return messages.at(-1)!.position;
}

function send(connection: NatsConnection, messages: readonly RawMessage[]): Promise<void>[] {
  return messages.flatMap((message, index) => {
    const last = (index + 1) % ACK_EVERY === 0 || index === messages.length - 1;
    const headers = encodedHeaders(message);
    if (last) return [connection.request(subject(message), message.data, { headers, timeout: ACK_TIMEOUT_MS }).then((reply) => check(reply, message))];
    connection.publish(subject(message), message.data, { headers });
    return [];
  });
}

function check(reply: Msg, { position }: RawMessage): void {
  const ack = reply.json<PubAck & { error?: { description: string } }>();
  if (ack.error) throw new Error(`The stream refuses position ${position}: ${ack.error.description}`);
  if (ack.stream !== LOG_STREAM || ack.seq !== position) throw new Error(`Position ${position} became ${ack.seq} of ${ack.stream}.`);
}

function subject({ kind, type, streamId, data }: RawMessage): string {
  return subjectOf({ kind, type, streamId, data: kind === 'command' ? (JSON.parse(data) as unknown) : undefined } as StoredMessage);
}

/** Headers written out at once: building them entry by entry takes three times as long as all the rest of publishing. */
function encodedHeaders(message: RawMessage): MsgHdrs {
  const { id, position } = message;
  const bytes = Buffer.from(`NATS/1.0\r\nNats-Msg-Id: ${id}\r\nNats-Expected-Last-Sequence: ${position - 1}\r\n${envelopeOf(message)}\r\n`, 'latin1');
  return { encode: () => bytes } as unknown as MsgHdrs;
}
