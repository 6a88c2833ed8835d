/** A part of what a container wrote. Output comes in frames: a header of 8 bytes, of which the first says which stream and the last four the length, then the bytes. */
export interface Frame {
  readonly stream: number;
  readonly bytes: Buffer;
}

export const STDERR = 2;
const NEWLINE = 0x0a;

export function framesOf(raw: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 8 <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    frames.push({ stream: raw[at]!, bytes: raw.subarray(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  return frames;
}

/** What was written to the error output, or to the other one. */
export function outputOf(frames: readonly Frame[], of: 'stdout' | 'stderr'): string {
  return Buffer.concat(frames.filter(({ stream }) => (stream === STDERR) === (of === 'stderr')).map(({ bytes }) => bytes)).toString('utf8');
}

/** Both outputs, line by line in the order in which the lines were completed: one that came in pieces, with the other output between them, is whole again. */
export function wholeLines(frames: readonly Frame[]): string {
  const open = new Map<number, Buffer>();
  const lines: Buffer[] = [];
  for (const { stream, bytes } of frames) {
    const all = Buffer.concat([open.get(stream) ?? Buffer.alloc(0), bytes]);
    const end = all.lastIndexOf(NEWLINE) + 1;
    lines.push(all.subarray(0, end));
    open.set(stream, all.subarray(end));
  }
  const rest = [...open.values()].filter(({ length }) => length > 0);
  return [...lines, ...rest.flatMap((bytes) => [bytes, Buffer.from('\n')])].map((bytes) => bytes.toString('utf8')).join('');
}
