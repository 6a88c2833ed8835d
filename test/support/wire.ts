import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut, and that can go silent with every connection open: to those who go it the server is killed, or hangs. */
export class Wire {
  private server: Server | undefined;
  private port = 0;
  private readonly open = new Set<Socket>();
  private isSilent = false;
  private lost: RegExp | undefined;
  private then: { bytes: number; act: () => void } | undefined;

  constructor(private readonly to: URL) {}

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.isSilent = false;
    this.server = createServer((socket) => this.lead(socket));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Does so once, when so many more bytes have gone to the server and come from it. */
  after(bytes: number, act: () => void): void {
    this.then = { bytes, act };
  }

  /** Once, cuts every connection where the answer to a request that begins so would come. */
  loseAnswer(request: RegExp): void {
    this.lost = request;
  }

  /** Cuts every connection; who comes again is led on. */
  cut(): void {
    for (const socket of this.open) socket.destroy();
  }

  /** From now on nothing is led on, and nobody told. */
  silence(): void {
    this.isSilent = true;
    for (const socket of this.open) socket.unpipe();
  }

  /** Cuts every connection and listens no more. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const closed = server && new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  private lead(socket: Socket): void {
    this.keep(socket);
    if (this.isSilent) return;
    const onward = connect(Number(this.to.port || 80), this.to.hostname);
    this.keep(onward);
    socket.on('data', (request: Buffer) => {
      if (!this.lost?.test(request.toString('latin1'))) return;
      this.lost = undefined;
      onward.unpipe(socket);
      onward.once('data', () => this.cut()).resume();
    });
    for (const [from, to] of [[socket, onward], [onward, socket]] as const) {
      from.pipe(to);
      from.on('data', ({ length }: Buffer) => this.count(length));
      from.on('close', () => to.destroy());
    }
  }

  private keep(socket: Socket): void {
    this.open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.open.delete(socket));
  }

  private count(bytes: number): void {
    if (!this.then || (this.then.bytes -= bytes) > 0) return;
    const { act } = this.then;
    this.then = undefined;
    act();
  }
}
