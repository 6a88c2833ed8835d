import { createHash } from 'node:crypto';
import { request as httpRequest, createServer, type Agent, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { EdgeSettings } from '../edge/edge-settings.js';

/** What a visitor gets. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Visit {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer | Readable;
  readonly agent?: Agent;
  readonly tls?: boolean;
  /** Address of this machine to come from. */
  readonly from?: string;
}

/** Asks the edge as a visitor does: a new connection unless an agent is given. */
export function visit(settings: EdgeSettings, host: string, visit: Visit = {}): Promise<Answer> {
  const options: RequestOptions & { rejectUnauthorized?: boolean; servername?: string } = {
    host: settings.bind,
    port: visit.tls ? settings.httpsPort : settings.httpPort,
    method: visit.method ?? 'GET',
    path: visit.path ?? '/',
    headers: { host: `${host}:${visit.tls ? settings.httpsPort : settings.httpPort}`, ...visit.headers },
    agent: visit.agent ?? false,
    ...(visit.from ? { localAddress: visit.from } : {}),
    timeout: 20_000,
    ...(visit.tls ? { rejectUnauthorized: false, servername: host } : {}),
  };
  return new Promise((resolve, reject) => {
    const asked = (visit.tls ? httpsRequest : httpRequest)(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 20 s')));
    // `reusedSocket` says nothing of a request that waited for its turn at the agent.
    let wasReused = false;
    asked.on('socket', ({ bytesRead }) => (wasReused = bytesRead > 0));
    asked.on('error', (error: NodeJS.ErrnoException) => reject(Object.assign(error, { wasReused })));
    if (visit.body !== undefined && typeof visit.body === 'object' && 'pipe' in visit.body) visit.body.pipe(asked);
    else asked.end(visit.body);
  });
}

/** Sends bytes as they are and answers what comes back until the connection ends. */
export function sendRaw(settings: EdgeSettings, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(settings.httpPort, settings.bind, () => socket.write(text));
    socket.setEncoding('latin1').on('data', (part) => (answer += String(part))).on('close', () => resolve(answer)).on('error', reject);
    socket.setTimeout(5_000, () => socket.destroy());
  });
}

/** A site's container: answers what it was asked, counts, and speaks back on websockets. */
export interface Backend {
  readonly target: { readonly address: string; readonly port: number; readonly root: string };
  readonly requests: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly bodyBytes: number }[];
  close(): Promise<void>;
}

export async function startBackend(name: string, respond?: (request: IncomingMessage, response: import('node:http').ServerResponse) => boolean): Promise<Backend> {
  const requests: { url: string; headers: IncomingHttpHeaders; bodyBytes: number }[] = [];
  const server = createServer((request, response) => {
    const seen = { url: request.url!, headers: request.headers, bodyBytes: 0 };
    requests.push(seen);
    if (respond?.(request, response)) return;
    request.on('data', (part: Buffer) => (seen.bodyBytes += part.length));
    request.on('end', () => response.end(JSON.stringify({ name, method: request.method, ...seen })));
  });
  const tunnels = new Set<Duplex>();
  server.on('upgrade', (request, socket) => {
    tunnels.add(socket);
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Backend: ${name}\r\n\r\n`);
    socket.on('error', () => undefined).pipe(socket);
  });
  await listening(server);
  return {
    target: { address: '127.0.0.1', port: (server.address() as AddressInfo).port, root: '' },
    requests,
    close: () =>
      new Promise((resolve) => {
        for (const tunnel of tunnels) tunnel.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Opens a websocket; the tunnel is raw. */
export function openWebsocket(settings: EdgeSettings, host: string, headers: Record<string, string> = {}, from?: string): Promise<{ headers: IncomingHttpHeaders; socket: Duplex }> {
  return new Promise((resolve, reject) => {
    const key = Buffer.from('0123456789abcdef').toString('base64');
    const asked = httpRequest({
      host: settings.bind,
      port: settings.httpPort,
      agent: false,
      ...(from ? { localAddress: from } : {}),
      headers: { host, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key, ...headers },
    });
    asked.on('upgrade', (response, socket) => resolve({ headers: response.headers, socket }));
    asked.on('response', (response) => reject(new Error(`answered ${response.statusCode} instead of switching`)));
    asked.on('error', reject).end();
  });
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
