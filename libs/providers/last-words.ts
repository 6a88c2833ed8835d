import { masked, maskedParts, SHORTEST } from './masked.js';

const LINES = 20;
const CHARACTERS = 4_096;

/**
 * The end of a log, for an error's readers: the last lines, at most 4,096 characters, without any of the values. They are masked before
 * anything is cut, and where the log itself begins or ends within one, its part goes too.
 */
export function lastWords(log: string, values: readonly string[]): string {
  const whole = maskedParts(values).reduce(withoutPart, masked(log, values));
  const end = whole.trim().split('\n').slice(-LINES).join('\n').slice(-CHARACTERS);
  return end.replace(/^[\uDC00-\uDFFF]/, '');
}

function withoutPart(text: string, value: string): string {
  for (let length = value.length - 1; length >= SHORTEST; length--) {
    if (text.startsWith(value.slice(-length))) return withoutEnd(`***${text.slice(length)}`, value);
  }
  return withoutEnd(text, value);
}

function withoutEnd(text: string, value: string): string {
  for (let length = value.length - 1; length >= SHORTEST; length--) {
    if (text.endsWith(value.slice(0, length))) return `${text.slice(0, -length)}***`;
  }
  return text;
}
