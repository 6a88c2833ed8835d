/** The longest string of a TXT record, in bytes (RFC 1035, 3.3.14); a longer text has several, which are read as one. */
const LONGEST = 255;

/** A text as the content of a TXT record: quoted strings, as in a zone file. */
export function textOf(value: string): string {
  const bytes = Buffer.from(value);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length || parts.length === 0; ) {
    let end = Math.min(at + LONGEST, bytes.length);
    // Not within a character: the second to fourth byte of one begin with the bits 10.
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
    parts.push(bytes.subarray(at, end).toString());
    at = end;
  }
  return parts.map((part) => `"${part.replace(/[\\"]/g, '\\$&')}"`).join(' ');
}

/** The text of a TXT record's content. What somebody typed without quotes is taken as it is. */
export function readText(content: string): string {
  if (!/^\s*"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*\s*$/su.test(content)) return content;
  return [...content.matchAll(/"((?:[^"\\]|\\.)*)"/gsu)].map(([, part]) => part!.replace(/\\(.)/gsu, '$1')).join('');
}
