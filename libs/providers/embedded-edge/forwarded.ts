import type { IncomingMessage } from 'node:http';

/** A visitor as the edge saw it, whatever the visitor says. */
export interface Visitor {
  readonly address: string;
  /** Host as asked for, with the port if there was one. */
  readonly host: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
  /** Whether a trusted proxy said all this. */
  readonly isViaProxy: boolean;
}

/** Headers that only a proxy may set, or that end at the next one. */
const TAKEN = ['expect', 'forwarded', 'keep-alive', 'proxy', 'proxy-connection', 'te', 'true-client-ip', 'x-forwarded-prefix', 'x-forwarded-server'];

/**
 * Makes a request's headers those that its target gets. Names with an underscore go too: CGI could not tell them from our own. A password
 * that was meant for the edge goes no further.
 */
export function setForwarded(request: IncomingMessage, visitor: Visitor, isAuthorizationOurs = false): void {
  const { headers } = request;
  const kept = Object.entries(headers).filter(([name]) => !name.includes('_') && !TAKEN.includes(name) && !(name === 'cf-connecting-ip' && !visitor.isViaProxy) && !(name === 'authorization' && isAuthorizationOurs));
  request.headers = {
    ...Object.fromEntries(kept),
    connection: headers.upgrade === undefined ? 'close' : 'upgrade',
    host: visitor.host,
    'x-forwarded-for': visitor.address,
    'x-forwarded-host': visitor.host,
    'x-forwarded-port': String(visitor.port),
    'x-forwarded-proto': visitor.scheme,
    'x-real-ip': visitor.address,
  };
}
