import { PassThrough, type Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '#api/problem.js';
import { inspectArchive } from '#content/archive.js';
import type { ContentStore, StoredContent } from '#content/content-store.js';
import type { ContentRef } from '#contracts/gen/hostplane/v1/site.js';

/** Takes an archive from a request: stores it, reads it through, and leaves nothing behind of one that is refused. */
export class Uploads {
  constructor(
    private readonly content: ContentStore,
    private readonly maxBytes: number,
  ) {}

  async receive(request: FastifyRequest): Promise<ContentRef> {
    const announced = Number(request.headers['content-length'] ?? 0);
    // A form has some lines around its file.
    if (announced > this.maxBytes + (request.isMultipart() ? 65_536 : 0)) throw this.tooLarge(announced);
    const stored = await this.store(await this.bytesOf(request));
    try {
      const { format, fileCount } = await inspectArchive(stored.path);
      return { sha256: stored.sha256, sizeBytes: stored.sizeBytes, format, fileCount };
    } catch (error) {
      // Refused for its bytes, so that no release can ever consist of them.
      await this.content.remove(stored.sha256);
      throw error;
    }
  }

  /** The store ends what it refuses to read on; the request itself is read past, or its sender could not read why. */
  private async store(bytes: Readable): Promise<StoredContent> {
    const copy = new PassThrough();
    bytes.once('error', (error) => copy.destroy(error));
    try {
      return await this.content.put(bytes.pipe(copy), { maxBytes: this.maxBytes });
    } finally {
      bytes.resume();
    }
  }

  private async bytesOf(request: FastifyRequest): Promise<Readable> {
    if (request.isMultipart()) {
      const part = await request.file({ limits: { fileSize: this.maxBytes + 1, files: 1 } });
      if (part) return part.file;
    } else if (request.body !== null && typeof request.body === 'object' && 'pipe' in request.body) {
      return request.body as Readable;
    }
    const message = 'An archive is needed: a zip or tar.gz as the body, or as the file of a form.';
    throw new ProblemError('invalid', message, { errors: [{ field: 'file', message }] });
  }

  private tooLarge(announced: number): ProblemError {
    return new ProblemError('too-large', `The upload has ${announced} bytes, at most ${this.maxBytes} are allowed.`);
  }
}
