import { createServer } from 'node:net';
import { portTaken, type EdgeSettings } from './edge-settings.js';

/** What to say of the first of the edge's ports that another program holds; undefined when they are free. */
export async function takenPortMessage(settings: Pick<EdgeSettings, 'bind' | 'httpPort' | 'httpsPort'>): Promise<string | undefined> {
  for (const port of [settings.httpPort, settings.httpsPort]) {
    if (await isTaken(settings.bind, port)) return portTaken(settings, port);
  }
  return undefined;
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)));
  });
}
