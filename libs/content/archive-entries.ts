import { Transform, pipeline, type Readable } from 'node:stream';

/** One entry as an archive's reader finds it: nothing about it is checked yet. `kind` is file, folder, or what else it claims to be. */
export interface ArchiveEntry {
  readonly name: string;
  readonly kind: string;
  /** As the header claims; a content of another size is an error of its stream. */
  readonly sizeBytes: number;
  /** The unpacked bytes; to be read to the end before the next entry is asked for. */
  open(): Promise<Readable>;
}

/** The same bytes, looked at on their way: what `look` or `atEnd` throws becomes the stream's error. An error of the source comes through. */
export function watched(source: Readable, look: (chunk: Buffer) => void, atEnd: () => void = () => {}): Readable {
  const watching = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      attempt(() => look(chunk), (error) => done(error, chunk));
    },
    flush(done) {
      attempt(atEnd, (error) => done(error));
    },
  });
  return pipeline(source, watching, () => {});
}

function attempt(work: () => void, done: (error: Error | null) => void): void {
  try {
    work();
  } catch (error) {
    return done(error as Error);
  }
  done(null);
}
