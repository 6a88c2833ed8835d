import { isIP, isIPv6 } from 'node:net';
import { ProviderError } from '../provider-error.js';
import { whole } from './nginx-value.js';

/** `listen` with an address and a port, said alike by every server that shares them. */
export function renderListen({ bind, proxyProtocol = false }: { readonly bind: string; readonly proxyProtocol?: boolean }, port: number, isSecure = false): string {
  return `listen ${addressOf(bind)}:${whole(port, 'The port', 65_535)}${isSecure ? ' ssl' : ''}${proxyProtocol ? ' proxy_protocol' : ''}`;
}

/**
 * Options of a socket, said once for each. Deferred: a worker is handed a connection together with its first bytes; otherwise one that is on its way
 * out closes connections that it has just taken, since it has not read from them yet.
 */
export function renderSocket({ bind, canDefer }: { readonly bind: string; readonly canDefer: boolean }): string {
  return `${canDefer ? ' deferred' : ''}${bind === '::' ? ' ipv6only=off' : ''}`;
}

/** Addresses that only this machine has when it asks itself. */
export function ownAddresses(bind: string): string[] {
  addressOf(bind);
  const loopback = ['127.0.0.0/8', '::1'];
  return loopback.includes(bind) || bind.startsWith('127.') || bind === '0.0.0.0' || bind === '::' ? loopback : [...loopback, bind];
}

function addressOf(bind: string): string {
  if (isIP(bind) === 0 || bind.includes('%')) throw new ProviderError(`The edge cannot be bound to ${JSON.stringify(bind)}: set HOSTPLANE_BIND to an IP address.`, false);
  return isIPv6(bind) ? `[${bind}]` : bind;
}
