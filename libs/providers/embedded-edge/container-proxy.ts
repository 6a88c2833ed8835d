import { ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http';
import { Transform, type Duplex } from 'node:stream';
import { createProxyServer } from 'httpxy';
import { pages } from '../edge/pages.js';
import { answerPage, answerPlain, refuseUpgrade } from './answers.js';
import { setForwarded, type Visitor } from './forwarded.js';

/** Where a container is reached. */
export interface ContainerTarget {
  readonly address: string;
  readonly port: number;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Passes requests and websockets on to containers. Each has a connection of its own, so that none is kept to an address that is let go of. */
export class ContainerProxy {
  private readonly proxy;
  private readonly sent = new WeakMap<IncomingMessage, ClientRequest>();

  constructor(
    private readonly maxBodyBytes: number,
    timeoutMs: number,
  ) {
    this.proxy = createProxyServer({ proxyTimeout: timeoutMs, upgradeTimeout: timeoutMs });
    this.proxy.on('error', (_, request, answer) => {
      if (answer instanceof ServerResponse && request) answerPage(request, answer, pages.unreachable);
      else if (answer) refuseUpgrade(answer as Duplex, pages.unreachable);
    });
    this.proxy.on('proxyReq', (sent, request) => {
      this.sent.set(request, sent);
      const { socket } = sent;
      if (!socket?.connecting) return;
      const timer = setTimeout(() => sent.destroy(new Error('no connection in time')), CONNECT_TIMEOUT_MS);
      socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    });
  }

  async pass(request: IncomingMessage, response: ServerResponse, target: ContainerTarget, visitor: Visitor): Promise<void> {
    if (Number(request.headers['content-length'] ?? 0) > this.maxBodyBytes) return answerPlain(request, response, 413);
    setForwarded(request, visitor);
    const body = request.headers['transfer-encoding'] === undefined ? undefined : this.limited(request, response);
    await this.proxy.web(request, response, { target: where(target), agent: false, ...(body ? { buffer: body } : {}) });
  }

  async passUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, target: ContainerTarget, visitor: Visitor): Promise<void> {
    setForwarded(request, visitor);
    await this.proxy.ws(request, socket as never, { target: where(target), agent: false }, head);
  }

  /** A body without a length, until it is too long. */
  private limited(request: IncomingMessage, response: ServerResponse): Transform {
    const { maxBodyBytes: most, sent } = this;
    let bytes = 0;
    return request.pipe(
      new Transform({
        transform(part: Buffer, _, done) {
          bytes += part.length;
          if (bytes <= most) return done(null, part);
          request.unpipe(this);
          response.once('finish', () => sent.get(request)?.destroy());
          answerPlain(request, response, 413);
        },
      }),
    );
  }
}

function where({ address, port }: ContainerTarget): { protocol: string; host: string; port: number } {
  return { protocol: 'http:', host: address, port };
}
