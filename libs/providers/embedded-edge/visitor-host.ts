import type { IncomingMessage } from 'node:http';
import type { Ranges } from '../edge/proxies.js';
import type { Visitor } from './forwarded.js';

/** A visitor and the host that it asks for. */
export interface Asking extends Visitor {
  /** Lower-case, without port and closing dot. */
  readonly hostname: string;
  /** Whether it sits on this machine itself. */
  readonly isOwnMachine: boolean;
}

/** What a proxy says in X-Forwarded-Proto; Traefik says ws and wss of a request for a websocket. */
const SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([['http', 'http'], ['https', 'https'], ['ws', 'http'], ['wss', 'https']]);
const HOST = /^([a-z0-9._-]*|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

/** Reads which host a request is for and who asks, as a trusted proxy says where it came through one, and makes its address a path; undefined when that cannot be told for certain. */
export function readHost(request: IncomingMessage, connection: 'http' | 'https', proxies: Ranges): Asking | undefined {
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
  const host = `${hostname}${parts[2] ?? ''}`;
  if (!proxies.hold(address)) return { hostname, host, address, port: localPort, scheme: connection, isOwnMachine, isViaProxy: false };
  const { 'x-forwarded-for': forwardedFor = '', 'x-forwarded-proto': said } = request.headers;
  const saidScheme = SCHEMES.get(String(said));
  const scheme = saidScheme ?? connection;
  const port = saidScheme ? { http: 80, https: 443 }[scheme] : localPort;
  return { hostname, host, address: proxies.visitorOf(address, String(forwardedFor)), port, scheme, isOwnMachine, isViaProxy: true };
}
