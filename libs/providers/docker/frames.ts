/**
 * Takes apart what an engine sends of a command's two outputs, as it comes: frames with a header of 8 bytes, of which the first says which output and the
 * last four are the length. Answers the standard output and hands on the other; nothing is read before it is asked for.
 */
export async function* standardOutput(source: AsyncIterable<Buffer>, other: (bytes: Buffer) => void): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let [isOther, due] = [false, 0];
  for await (const chunk of source) {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (;;) {
      if (due === 0) {
        if (rest.length < 8) break;
        [isOther, due] = [rest[0] === 2, rest.readUInt32BE(4)];
        rest = rest.subarray(8);
      }
      if (rest.length === 0) break;
      const bytes = rest.subarray(0, due);
      [due, rest] = [due - bytes.length, rest.subarray(bytes.length)];
      if (isOther) other(bytes);
      else yield bytes;
    }
  }
}
