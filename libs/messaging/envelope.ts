import { headers as newHeaders, type MsgHdrs } from '@nats-io/transport-node';
import type { Cause, Kind, Meta, StoredMessage } from '#contracts/message.js';
import { decodeData, isMessageType, type MessageType } from '#contracts/registry.js';

/** A message as the log's bytes have it: what the relay publishes. */
export interface RawMessage {
  readonly position: number;
  readonly id: string;
  readonly kind: Kind;
  readonly type: string;
  readonly streamId: string;
  readonly version: number;
  readonly schemaVersion: number;
  /** The stored JSON texts, byte for byte. */
  readonly data: string;
  readonly meta: string;
  readonly recordedAt: string;
  readonly hash: string;
}

const SOURCE = '/hostplane';

/** The envelope as message headers: CloudEvents 1.0 in binary mode (NATS protocol binding), our own fields as extensions. */
export function envelopeOf(message: RawMessage): string {
  const meta = JSON.parse(message.meta) as Meta;
  const trace = meta.traceparent ? line('ce-traceparent', meta.traceparent) : '';
  return `ce-specversion: 1.0\r\nce-source: ${SOURCE}\r\nce-kind: ${message.kind}\r\nce-position: ${message.position}\r\nce-version: ${message.version}\r\n`
    + `ce-schemaversion: ${message.schemaVersion}\r\nce-hash: ${message.hash}\r\nce-time: ${message.recordedAt}\r\n`
    + line('ce-id', message.id) + line('ce-type', message.type) + line('ce-subject', message.streamId)
    + metaFields(meta).map(([name, value]) => line(name, value)).join('') + trace;
}

/** The envelope of an ask: who asks and why. */
export function causeHeaders(cause: Cause): MsgHdrs {
  const headers = newHeaders();
  headers.set('ce-id', cause.id);
  for (const [name, value] of metaFields(cause.meta)) headers.set(name, printable(value));
  if (cause.meta.traceparent) headers.set('ce-traceparent', printable(cause.meta.traceparent));
  return headers;
}

export function readCause(headers: MsgHdrs | undefined): Cause {
  return { id: field(headers, 'ce-id'), meta: readMeta(headers) };
}

/** A payload that is no message: trying again does not help. */
class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
  readonly retryable = false;
}

/** The message that a payload and its headers carry. Throws when they do not carry one that this version knows. */
export function readMessage(headers: MsgHdrs | undefined, payload: string): StoredMessage {
  const type = field(headers, 'ce-type');
  if (!isMessageType(type)) throw new Error(`The message type ${type || '(none)'} is not known here.`);
  return {
    position: Number(field(headers, 'ce-position')),
    id: field(headers, 'ce-id'),
    kind: field(headers, 'ce-kind') as Kind,
    type,
    streamId: field(headers, 'ce-subject'),
    version: Number(field(headers, 'ce-version')),
    schemaVersion: Number(field(headers, 'ce-schemaversion')),
    data: decoded(type, payload),
    meta: readMeta(headers),
    recordedAt: field(headers, 'ce-time'),
    hash: field(headers, 'ce-hash'),
  } as StoredMessage;
}

function decoded(type: MessageType, payload: string): unknown {
  try {
    return decodeData(type, payload);
  } catch (error) {
    throw new UnreadableError(`The data of ${type} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

const PLAIN = /^[\x21-\x24\x26-\x7e]*$/;

/** What a header may hold as it stands; the rest is percent-encoded, as the CloudEvents bindings have it. */
function printable(value: string): string {
  return PLAIN.test(value) ? value : encodeURIComponent(value);
}

function line(name: string, value: string): string {
  return `${name}: ${printable(value)}\r\n`;
}

function metaFields({ correlationId, causationId, actor, owner, member }: Meta): (readonly [string, string])[] {
  const always = [['ce-correlationid', correlationId], ['ce-causationid', causationId], ['ce-actor', actor], ['ce-owner', owner]] as const;
  return member === undefined ? [...always] : [...always, ['ce-member', member]];
}

function readMeta(headers: MsgHdrs | undefined): Meta {
  const [member, traceparent] = [field(headers, 'ce-member'), field(headers, 'ce-traceparent')];
  return {
    correlationId: field(headers, 'ce-correlationid'),
    causationId: field(headers, 'ce-causationid'),
    actor: field(headers, 'ce-actor'),
    owner: field(headers, 'ce-owner'),
    ...(member && { member }),
    ...(traceparent && { traceparent }),
  };
}

function field(headers: MsgHdrs | undefined, name: string): string {
  const value = headers?.get(name) ?? '';
  return value.includes('%') ? decodeURIComponent(value) : value;
}
