import type { IncomingMessage } from 'node:http';
import type { Visitor } from './forwarded.js';

/** A visitor and the host that it asks for. */
export interface Asking extends Visitor {
  /** Lower-case, without port and closing dot. */
  readonly hostname: string;
  /** Whether it sits on this machine itself. */
  readonly isOwnMachine: boolean;
}

const HOST = /^([a-z0-9._-]*|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

/** Reads which host a request is for, and makes its address a path; undefined when that cannot be told for certain. */
export function readHost(request: IncomingMessage, scheme: 'http' | 'https'): Asking | undefined {
  const given = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
  if (given > 1) return undefined;
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(request.url ?? '');
  if (absolute) request.url = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`;
  else if (!request.url?.startsWith('/')) return undefined;
  const parts = HOST.exec((absolute?.[1] ?? request.headers.host ?? '').toLowerCase());
  if (!parts) return undefined;
  const hostname = parts[1]!.replace(/\.$/, '');
  const { remoteAddress = '', localAddress = '', localPort = 0 } = request.socket;
  const address = remoteAddress.replace(/^::ffff:/, '');
  const isOwnMachine = address.startsWith('127.') || address === '::1' || remoteAddress === localAddress;
  return { hostname, host: `${hostname}${parts[2] ?? ''}`, address, port: localPort, scheme, isOwnMachine };
}
