/** U+0000 and halves of surrogate pairs as JSON writes them; what is before them is no escape itself. */
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * A value as JSON that PostgreSQL takes. The log keeps what was said as it was said, some of it by strangers (a record in the DNS, an answer of a site); a table cannot hold
 * U+0000, nor jsonb half a pair: a replacement character (U+FFFD) stands there instead.
 */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes('\\u') ? text.replace(UNSTORABLE, '$1\\ufffd') : text;
}

/** The same for text; half a pair becomes U+FFFD when it is written as UTF-8. */
export const storableText = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text);
