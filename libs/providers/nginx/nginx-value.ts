import { ProviderError } from '../provider-error.js';

/** Words that mean something to `map` even inside quotes; a backslash takes the meaning away. */
const MAP_WORD = /^(?:default|hostnames|include|volatile)$/i;

/** What needs no second look. */
const PLAIN = /^[A-Za-z0-9._:/-]+$/;

/**
 * A literal as nginx reads it, in quotes. The only way for a value into the configuration.
 * Nothing in nginx can escape a dollar sign, and a line break has no use in any value: these are refused.
 */
export function quoted(value: string, meant: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (/[$\p{Cc}]/u.test(value) || !value.isWellFormed()) {
    throw new ProviderError(`${meant} is ${JSON.stringify(value).slice(0, 120)}: nginx cannot be given a $ or a control character.`, false);
  }
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** A literal on the left side of a `map`. */
export function mapKey(value: string, meant: string): string {
  const literal = quoted(value, meant);
  if (value.startsWith('~') || value.startsWith('\\')) throw new ProviderError(`${meant} is ${JSON.stringify(value)}: it would be read as a pattern.`, false);
  return MAP_WORD.test(value) ? `"\\${literal.slice(1)}` : literal;
}

/** A whole number within bounds, as nginx reads it. */
export function whole(value: number, meant: string, greatest = Number.MAX_SAFE_INTEGER): string {
  if (!Number.isSafeInteger(value) || value < 0 || value > greatest) throw new ProviderError(`${meant} is ${value}: it must be a whole number from 0 to ${greatest}.`, false);
  return String(value);
}

/** What may stand without quotes and inside of others: letters, digits, dot, dash, underscore. */
export function word(value: string, meant: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(value)) throw new ProviderError(`${meant} is ${JSON.stringify(value).slice(0, 120)}: allowed are letters, digits, dot, dash and underscore.`, false);
  return value;
}
