/** Shorter ones are no secrets, and would black out every other word. */
const SHORTEST = 6;

/** The text without any of the values: a vendor may repeat what it was given, and an error is read by many. */
export function masked(text: string, values: readonly string[]): string {
  const whole = values.flatMap((value) => [value, ...value.split('\n'), JSON.stringify(value).slice(1, -1)]);
  return whole
    .filter((value) => value.trim().length >= SHORTEST)
    .sort((a, b) => b.length - a.length)
    .reduce((masking, value) => masking.replaceAll(value, '***'), text);
}
