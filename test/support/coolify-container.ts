import { createServer, type Server } from 'node:http';

/** What an app is started with, as a compose file of Coolify's has it. */
export interface ContainerStart {
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly hostPort: number;
}

/** Says what becomes of a request; undefined where the image ends instead of serving. */
type Behaviour = (env: Readonly<Record<string, string>>) => ((path: string) => { readonly status: number; readonly body: string }) | undefined;

/** The test app as infra/images/app has it, without an engine. */
const app: Behaviour = (env) => {
  if (env['EXIT_SECONDS'] !== undefined) return undefined;
  return (path) => {
    if (path === '/') return { status: 200, body: env['GREETING'] || 'hello from an app' };
    if (path === '/health' && !env['UNHEALTHY']) return { status: 200, body: 'ok' };
    return { status: 404, body: 'not found' };
  };
};

const images: Readonly<Record<string, Behaviour>> = { 'hostplane-test/app:latest': app };

export const isKnownImage = (image: string): boolean => image in images;

/** What stands for a container: it really answers on its port of this machine. */
export class AppContainer {
  readonly log: string[] = [];
  private server: Server | undefined;
  private answer: ((path: string) => { readonly status: number; readonly body: string }) | undefined;

  /** Fails as an engine does when the port is somebody's. */
  async start({ image, env, hostPort }: ContainerStart): Promise<void> {
    this.answer = images[image]!(env);
    this.log.push(...(this.answer ? [`listening, greeting is ${env['GREETING'] ?? ''}`] : ['ending as I was told']));
    // Like an engine's proxy, the port opens whether or not anything in the container listens.
    const server = createServer((request, response) => {
      if (!this.answer) return void request.socket.destroy();
      const { status, body } = this.answer(request.url ?? '/');
      response.writeHead(status, { connection: 'close' }).end(body);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', () => reject(new Error(`Bind for 0.0.0.0:${hostPort} failed: port is already allocated`)));
      server.listen(hostPort, '127.0.0.1', resolve);
    });
    this.server = server;
  }

  /** As Coolify names it, with its health check's finding after the colon. */
  status(checkedPath: string | undefined): string {
    if (!this.answer) return 'restarting:unhealthy';
    if (checkedPath === undefined) return 'running:unknown';
    return this.answer(checkedPath).status < 400 ? 'running:healthy' : 'running:unhealthy';
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
