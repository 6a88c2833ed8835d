import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where engines usually listen. */
function usualSockets(): string[] {
  const folder = process.env['XDG_RUNTIME_DIR'];
  const ofUser = [...(folder ? [join(folder, 'docker.sock'), join(folder, 'podman/podman.sock')] : []), join(homedir(), '.docker/run/docker.sock'), join(homedir(), '.docker/desktop/docker.sock')];
  return ['/var/run/docker.sock', '/run/containerd/containerd.sock', '/run/podman/podman.sock', ...ofUser];
}

/**
 * Whether this process could reach a container engine, found out by trying: `masked`, or `not possible: <reason>` as who started it said. Throws when a socket
 * can be connected to although it was promised that none can.
 */
export async function isolation(promised: string | undefined, sockets: readonly string[] = usualSockets()): Promise<string> {
  const tried = await Promise.all(sockets.map(async (path) => ((await canConnect(path)) ? [path] : [])));
  const [reachable] = tried.flat();
  if (!reachable) return promised ?? 'masked';
  if (promised === 'masked') throw new Error(`${reachable} can be connected to, although it was to be masked.`);
  return `${promised ?? 'not masked'} (${reachable} can be connected to)`;
}

function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (can: boolean) => {
      socket.destroy();
      resolve(can);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
