import { dirname } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { walkArchive } from '#content/archive.js';
import { defaultArchiveLimits } from '#content/archive-rules.js';
import type { ContentStore } from '#content/content-store.js';
import { placeholderPage } from '#content/placeholder.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { Refusal } from '#domain/refusal.js';
import { checkedContent } from '../checked-content.js';
import { ProviderError } from '../provider-error.js';
import type { Engine } from './engine.js';
import { releaseVolumeRequest, uploadRequest, UPLOAD_FOLDER } from './requests.js';
import type { DockerSettings } from './settings.js';

/**
 * Makes the volume of a release and fills it, through a container that is never started. A release's volume never changes afterwards: it is mounted
 * read-only, and another release is another volume, so going back to the old container is going back to the old content.
 * A volume that is there and that no container uses may be half filled: it is made again.
 */
export async function makeReleaseVolume(engine: Engine, settings: DockerSettings, content: ContentStore, spec: WorkloadSpec, hash: string, signal?: AbortSignal): Promise<void> {
  const archivePath = spec.content && (await checkedContent(content, spec.content));
  const request = releaseVolumeRequest(settings, spec, hash);
  await engine.removeVolume(request.Name!, signal);
  await engine.createVolume(request, signal);
  const upload = await engine.createContainer(uploadRequest(settings, spec, request.Name!), signal);
  const tar = tarOf((files) => (archivePath === undefined ? add(files, 'index.html', placeholderPage(spec.name)) : repack(archivePath, files)));
  try {
    await engine.putArchive(upload, UPLOAD_FOLDER, tar, signal);
  } catch (error) {
    const { cause } = error as Error;
    throw cause instanceof Refusal ? new ProviderError(cause.message, false, { cause }) : error;
  } finally {
    tar.destroy();
    await engine.removeContainer(upload);
  }
}

/** A tar as it is being written; what goes wrong while it is becomes its error. */
function tarOf(fill: (files: Pack) => Promise<void>): Readable {
  const files = pack();
  const tar = Readable.from(files);
  fill(files).then(
    () => files.finalize(),
    (error: Error) => tar.destroy(error),
  );
  tar.on('close', () => files.destroy());
  return tar;
}

async function repack(archivePath: string, files: Pack): Promise<void> {
  const folders = new Set(['.']);
  const enter = (folder: string): void => {
    if (folders.has(folder)) return;
    enter(dirname(folder));
    folders.add(folder);
    files.entry({ name: folder, type: 'directory', mode: 0o755 });
  };
  await walkArchive(archivePath, defaultArchiveLimits, async (path, kind, content, size) => {
    enter(kind === 'folder' ? path : dirname(path));
    if (content) await pipeline(content, files.entry({ name: path, size, mode: 0o644 }) as unknown as Writable);
  });
}

async function add(files: Pack, name: string, text: string): Promise<void> {
  files.entry({ name, mode: 0o644 }, text);
}
