import { open, rename, stat } from 'node:fs/promises';

const LIMIT_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 16 * 1024;

/** The file that nginx writes its errors to: kept below a size, and read for what was added since a mark. */
export class ErrorLog {
  private marked = 0;

  constructor(private readonly file: string) {}

  /** Remembers the end. A log that has grown is put aside: nginx opens a new one when it starts or reloads. */
  async mark(): Promise<void> {
    this.marked = await this.size();
    if (this.marked < LIMIT_BYTES) return;
    await rename(this.file, `${this.file}.1`);
    this.marked = 0;
  }

  /** The first lines after the mark. */
  async sinceMark(): Promise<string> {
    if ((await this.size()) <= this.marked) return '';
    const log = await open(this.file, 'r');
    try {
      const { buffer, bytesRead } = await log.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, this.marked);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await log.close();
    }
  }

  private size(): Promise<number> {
    return stat(this.file).then((found) => found.size, () => 0);
  }
}
