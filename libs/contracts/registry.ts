import * as backup from './gen/hostplane/v1/backup.js';
import * as certificate from './gen/hostplane/v1/certificate.js';
import * as certificateProof from './gen/hostplane/v1/certificate_proof.js';
import * as command from './gen/hostplane/v1/command.js';
import * as database from './gen/hostplane/v1/database.js';
import * as delay from './gen/hostplane/v1/delay.js';
import * as domain from './gen/hostplane/v1/domain.js';
import * as edge from './gen/hostplane/v1/edge.js';
import * as edgeCertificate from './gen/hostplane/v1/edge_certificate.js';
import * as edgeRules from './gen/hostplane/v1/edge_rules.js';
import * as health from './gen/hostplane/v1/health.js';
import * as home from './gen/hostplane/v1/home.js';
import * as leftData from './gen/hostplane/v1/left_data.js';
import * as member from './gen/hostplane/v1/member.js';
import * as name from './gen/hostplane/v1/name.js';
import * as operation from './gen/hostplane/v1/operation.js';
import * as pool from './gen/hostplane/v1/pool.js';
import * as project from './gen/hostplane/v1/project.js';
import * as route from './gen/hostplane/v1/route.js';
import * as secret from './gen/hostplane/v1/secret.js';
import * as site from './gen/hostplane/v1/site.js';
import * as token from './gen/hostplane/v1/token.js';
import * as usage from './gen/hostplane/v1/usage.js';
import * as workload from './gen/hostplane/v1/workload.js';

interface Codec<T> {
  fromJSON(object: unknown): T;
  toJSON(message: T): unknown;
}

type CodecsOf<M> = { [K in keyof M as M[K] extends { fromJSON(object: never): unknown } ? K : never]: M[K] };

const codecs = {
  ...only(backup), ...only(certificate), ...only(certificateProof), ...only(command), ...only(database), ...only(delay), ...only(domain), ...only(edge), ...only(edgeCertificate), ...only(edgeRules), ...only(health), ...only(home), ...only(leftData), ...only(member), ...only(name), ...only(operation), ...only(pool),
  ...only(project), ...only(route), ...only(secret), ...only(site), ...only(token), ...only(usage), ...only(workload),
};

/** Every message that can be stored or sent: its type name and the shape of its data, as proto has it. */
export type Messages = { [K in keyof typeof codecs]: (typeof codecs)[K] extends { fromJSON(object: never): infer T } ? T : never };

export type MessageType = keyof Messages & string;

/** A message as the core sees it: what it is called and what it says. */
export type MessageOf<K extends MessageType> = { [P in K]: { readonly type: P; readonly data: Messages[P] } }[K];

/** The stored text of a message's data: the JSON of its proto type, fields in the order of the proto file. */
export function encodeData<K extends MessageType>(type: K, data: Messages[K]): string {
  return JSON.stringify((codecs[type] as unknown as Codec<Messages[K]>).toJSON(data));
}

/** Reads stored data; a field that an older writer did not know has its proto default. */
export function decodeData<K extends MessageType>(type: K, text: string): Messages[K] {
  return (codecs[type] as unknown as Codec<Messages[K]>).fromJSON(JSON.parse(text));
}

/** Whether a name is one of the message types that this version knows. */
export function isMessageType(name: string): name is MessageType {
  return Object.hasOwn(codecs, name);
}

function only<M extends object>(module: M): CodecsOf<M> {
  return Object.fromEntries(Object.entries(module).filter(([, value]) => typeof value === 'object')) as CodecsOf<M>;
}
