import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An authority, and the certificate that it is served with. */
interface Authority {
  readonly directoryUrl: string;
  /** PEM, which is also what a client has to trust. */
  readonly ca: string;
  readonly keyFile: string;
}

/** Answers a call, perhaps with what the authority says to it; undefined: nobody hears an answer. */
type Answering = (asked: IncomingMessage, body: Buffer) => Promise<Answer | undefined>;

const PROBLEM = 'urn:ietf:params:acme:error:';

/**
 * Stands before an authority under its own certificate. An authority names its resources by the host that it was asked for, and looks at the address that a call is signed for:
 * so the client's own Host is passed on, and all that it names leads through here.
 */
export class AcmeFront {
  private readonly agent = new Agent({ keepAlive: true });

  private constructor(
    private authority: Authority,
    private readonly server: Server,
    readonly directoryUrl: string,
  ) {}

  static async before(authority: Authority, answering: Answering): Promise<AcmeFront> {
    const server = createServer({ cert: authority.ca, key: readFileSync(authority.keyFile) });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const front = new AcmeFront(authority, server, `https://127.0.0.1:${port}${new URL(authority.directoryUrl).pathname}`);
    const answer = async (asked: IncomingMessage) => answering(asked, await buffer(asked));
    server.on('request', (asked, response) => {
      const send = (answer: Answer | undefined) => answer && response.writeHead(answer.status, withoutFraming(answer.headers)).end(answer.body);
      answer(asked).then(send).catch(() => asked.socket.destroy());
    });
    server.on('tlsClientError', () => undefined);
    return front;
  }

  /** Another authority takes the place of the one behind it. */
  turnTo(authority: Authority): void {
    this.authority = authority;
  }

  /** What the authority answers to a call. */
  pass({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    return this.ask(method ?? 'GET', url ?? '/', headers, body);
  }

  /** A refusal after which a client signs the same call anew. */
  async unknownNonce({ headers }: IncomingMessage): Promise<Answer> {
    const fresh = await this.ask('HEAD', '/nonce-plz', headers, Buffer.alloc(0));
    return problem(400, 'badNonce', 'Injected: unknown nonce.', { 'replay-nonce': String(fresh.headers['replay-nonce']) });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.agent.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  private async ask(method: string, path: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
    const asked = request(new URL(path, this.authority.directoryUrl), { method, ca: this.authority.ca, agent: this.agent, headers: { ...withoutFraming(headers), 'content-length': body.length } });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
  }
}

export function problem(status: number, kind: string, detail: string, headers: IncomingHttpHeaders = {}): Answer {
  return { status, headers: { ...headers, 'content-type': 'application/problem+json' }, body: Buffer.from(JSON.stringify({ type: `${PROBLEM}${kind}`, detail, status })) };
}

/** Each connection frames by itself. */
function withoutFraming({ 'content-length': _, 'transfer-encoding': __, connection: ___, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders {
  return headers;
}
