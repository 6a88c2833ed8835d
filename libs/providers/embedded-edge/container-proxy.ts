import { ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http';
import { Transform, type Duplex } from 'node:stream';
import { createProxyServer } from 'httpxy';
import { pages, type EdgePage } from '../edge/pages.js';
import type { SiteRules } from '../edge/site-rules.js';
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
  /** What is said when the target of a request does not answer. */
  private readonly unreachable = new WeakMap<IncomingMessage, EdgePage>();

  constructor(
    private readonly maxBodyBytes: number,
    private readonly timeoutMs: number,
  ) {
    this.proxy = createProxyServer({});
    this.proxy.on('error', (_, request, answer) => {
      const page = (request && this.unreachable.get(request)) ?? pages.unreachable;
      if (answer instanceof ServerResponse && request) answerPage(request, answer, page);
      else if (answer) refuseUpgrade(answer as Duplex, page);
    });
    this.proxy.on('proxyRes', (answer, _, response) => {
      if (response.hasHeader('strict-transport-security')) delete answer.headers['strict-transport-security'];
    });
    this.proxy.on('proxyReq', (sent, request) => {
      this.sent.set(request, sent);
      const { socket } = sent;
      if (!socket?.connecting) return;
      const timer = setTimeout(() => sent.destroy(new Error('no connection in time')), CONNECT_TIMEOUT_MS);
      socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    });
  }

  async pass(request: IncomingMessage, response: ServerResponse, target: ContainerTarget, visitor: Visitor, rules?: SiteRules): Promise<void> {
    const most = Math.min(rules?.maxBodyBytes ?? this.maxBodyBytes, this.maxBodyBytes);
    if (Number(request.headers['content-length'] ?? 0) > most) return answerPlain(request, response, 413);
    this.prepare(request, visitor, rules);
    const body = request.headers['transfer-encoding'] === undefined ? undefined : this.limited(request, response, most);
    await this.proxy.web(request, response, { target: where(target), agent: false, proxyTimeout: rules?.targetTimeoutMs ?? this.timeoutMs, ...(body ? { buffer: body } : {}) });
  }

  async passUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, target: ContainerTarget, visitor: Visitor, rules?: SiteRules): Promise<void> {
    this.prepare(request, visitor, rules);
    const timeoutMs = rules?.targetTimeoutMs ?? this.timeoutMs;
    await this.proxy.ws(request, socket as never, { target: where(target), agent: false, proxyTimeout: timeoutMs, upgradeTimeout: timeoutMs }, head);
  }

  private prepare(request: IncomingMessage, visitor: Visitor, rules: SiteRules | undefined): void {
    const own = rules?.pages[502];
    if (own) this.unreachable.set(request, { status: 502, html: own.html });
    setForwarded(request, visitor, rules !== undefined && rules.users.length > 0);
  }

  /** A body without a length, until it is too long. */
  private limited(request: IncomingMessage, response: ServerResponse, most: number): Transform {
    const { sent } = this;
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
