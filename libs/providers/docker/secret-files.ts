import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { Engine } from './engine.js';
import { SECRETS_FOLDER } from './requests.js';

/**
 * Puts a secret into the volume that a container has for them, where it outlasts restarts of the engine and of the machine: root's file, which
 * only the group that the container runs as may read. In an environment variable every inspection would show it.
 */
export async function putSecret(engine: Engine, container: string, gid: number, name: string, value: string, signal?: AbortSignal): Promise<void> {
  const files = pack();
  files.entry({ name, mode: 0o440, uid: 0, gid }, value);
  files.finalize();
  await engine.putArchive(container, SECRETS_FOLDER, Readable.from(files), signal);
}
