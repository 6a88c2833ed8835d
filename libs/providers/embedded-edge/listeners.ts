import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { portForbidden, portTaken, type EdgeSettings } from '../edge/edge-settings.js';
import { ProviderError } from '../provider-error.js';

/** What is done with what visitors ask. */
export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse, scheme: 'http' | 'https'): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, scheme: 'http' | 'https'): void;
}

/** A request may take as long as its body does, but not its headers. Only websockets are upgrades: other offers to switch are passed by. */
const OPTIONS: ServerOptions = {
  requestTimeout: 0,
  headersTimeout: 10_000,
  keepAliveTimeout: 65_000,
  shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
};

/** The two ports that visitors reach, and every connection that is open on them. */
export class Listeners {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();

  constructor(private readonly settings: Pick<EdgeSettings, 'bind' | 'httpPort' | 'httpsPort'>) {}

  get areOpen(): boolean {
    return this.servers.length > 0;
  }

  /** `certificateOf` answers a name's own key and chain in one; without any, it is served with `tls`. */
  async open(handlers: Handlers, tls: { cert: string; key: string }, certificateOf: (name: string) => Promise<string | undefined>): Promise<void> {
    const plain = createServer(OPTIONS);
    const SNICallback = (name: string, done: (error: Error | null, context?: SecureContext) => void): void => {
      certificateOf(name).then((pem) => done(null, pem === undefined ? undefined : createSecureContext({ cert: pem, key: pem }))).catch(done);
    };
    const secure = createTlsServer({ ...OPTIONS, ...tls, minVersion: 'TLSv1.2', SNICallback });
    try {
      for (const [server, port, scheme] of [[plain, this.settings.httpPort, 'http'], [secure, this.settings.httpsPort, 'https']] as const) {
        server.on('request', (request: IncomingMessage, response: ServerResponse) => handlers.request(request, response, scheme));
        server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => handlers.upgrade(request, socket, head, scheme));
        server.on('connection', (socket: Socket) => this.sockets.add(socket.once('close', () => this.sockets.delete(socket))));
        await this.listen(server, port);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const closed = this.servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }

  private listen(server: Server, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const known = { EADDRINUSE: portTaken, EACCES: portForbidden }[error.code ?? ''];
        reject(new ProviderError(known?.(this.settings, port) ?? `The edge cannot listen on port ${port} at ${this.settings.bind}: ${error.message}.`, false, { cause: error }));
      });
      server.listen({ host: this.settings.bind, port }, () => {
        this.servers.push(server);
        resolve();
      });
    });
  }
}
