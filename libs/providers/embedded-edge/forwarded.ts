import type { IncomingMessage } from 'node:http';

/** A visitor as the edge saw it, whatever the visitor says. */
export interface Visitor {
  readonly address: string;
  /** Host as asked for, with the port if there was one. */
  readonly host: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
}

/** Headers that only a proxy may set, or that end at the next one. */
const TAKEN = ['expect', 'forwarded', 'keep-alive', 'proxy', 'proxy-connection', 'te', 'x-forwarded-prefix', 'x-forwarded-server'];

/** Makes a request's headers those that its target gets. Names with an underscore go too: CGI could not tell them from our own. */
export function setForwarded(request: IncomingMessage, visitor: Visitor): void {
  const { headers } = request;
  for (const name of Object.keys(headers)) {
    if (name.includes('_') || TAKEN.includes(name)) delete headers[name];
  }
  headers['connection'] = headers.upgrade === undefined ? 'close' : 'upgrade';
  headers['host'] = visitor.host;
  headers['x-forwarded-for'] = visitor.address;
  headers['x-forwarded-host'] = visitor.host;
  headers['x-forwarded-port'] = String(visitor.port);
  headers['x-forwarded-proto'] = visitor.scheme;
  headers['x-real-ip'] = visitor.address;
}
