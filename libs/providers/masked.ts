/** Shorter ones are no secrets, and would black out every other word. */
export const SHORTEST = 6;

/** The text without any of the values: a vendor or a program may repeat what it was given, and an error is read by many. */
export function masked(text: string, values: readonly string[]): string {
  return maskedParts(values).reduce((masking, value) => masking.replaceAll(value, '***'), text);
}

/** What is looked for: each value, its lines, and its form in JSON, the longest first. */
export function maskedParts(values: readonly string[]): string[] {
  const parts = values.flatMap((value) => [value, ...value.split('\n'), JSON.stringify(value).slice(1, -1)]);
  return [...new Set(parts)].filter((value) => value.trim().length >= SHORTEST).sort((a, b) => b.length - a.length);
}
