import { categoryOf, keyOf, type StoredMessage } from './message.js';
import type { MessageType, Messages } from './registry.js';

type CommandAddress = { [K in MessageType]?: (data: Messages[K]) => { to: string; key: string } };

/** Where each stored command goes, and the key whose commands are worked on one after the other. */
const commands: CommandAddress = {
  EnsureHome: (d) => ({ to: `host.${d.hostId}`, key: d.projectId }),
  RemoveHome: (d) => ({ to: `host.${d.hostId}`, key: d.projectId }),
  EnsureWorkload: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  InstallWorkload: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  RemoveWorkload: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  EnsureDatabase: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  RemoveDatabase: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  EnsureEdge: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  ConfirmPage: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  TakeBackup: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  RestoreBackup: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  RemoveBackup: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  RemoveData: (d) => ({ to: `host.${d.hostId}`, key: d.siteId }),
  EnsureProofs: (d) => ({ to: `host.${d.hostId}`, key: d.certificateId }),
  EnsureCertificate: (d) => ({ to: `host.${d.hostId}`, key: d.certificateId }),
  RemoveCertificate: (d) => ({ to: `host.${d.hostId}`, key: d.certificateId }),
  EnsureRoute: (d) => ({ to: 'domains', key: d.siteId }),
  RemoveRoute: (d) => ({ to: 'domains', key: d.siteId }),
  EnsureKeyring: (d) => ({ to: 'secrets', key: d.projectId }),
  DestroyKeyring: (d) => ({ to: 'secrets', key: d.projectId }),
  EnsureSecrets: (d) => ({ to: 'secrets', key: d.projectId }),
  ForgetSecrets: (d) => ({ to: 'secrets', key: d.projectId }),
};

/**
 * The subject of a message on the bus: `evt.<category>.<Type>.<key>`, or `cmd.<app>.<Type>.<key>` and
 * `cmd.host.<host id>.<Type>.<key>` for commands. Keys hold no dot, space or wildcard: `token` replaces what is not allowed.
 */
export function subjectOf(message: Pick<StoredMessage, 'kind' | 'type' | 'streamId' | 'data'>): string {
  if (message.kind === 'event') return `evt.${categoryOf(message.streamId)}.${message.type}.${token(keyOf(message.streamId))}`;
  const address = commands[message.type] as ((data: unknown) => { to: string; key: string }) | undefined;
  if (!address) throw new Error(`No destination is known for the command ${message.type}: add it to routing.ts.`);
  const { to, key } = address(message.data);
  return `cmd.${to}.${message.type}.${token(key)}`;
}

function token(key: string): string {
  return key.replace(/[^A-Za-z0-9_:-]/g, '_');
}

/** Whether messages of this type are work for someone, rather than something that happened. */
export function isCommandType(type: MessageType): boolean {
  return Object.hasOwn(commands, type);
}
