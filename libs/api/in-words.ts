import type { z } from 'zod';

/** What is said of a value that its schema refuses and says nothing of itself: what was wrong, and what is needed. A text is repeated only where no secret can stand. */
export function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'int' && typeof input === 'number') return `${input} is not a whole number.`;
      return input === undefined ? `It is missing: ${kind(issue.expected)} is needed.` : `${begin(kind(issue.expected))} is needed, not ${kind(typeOf(input))}.`;
    case 'invalid_value':
      if (input === undefined) return `It is missing: ${listed(issue.values, 'or')} is needed.`;
      return `${shown(input)} is none of ${listed(issue.values, 'and')}.`;
    case 'invalid_format':
      return issue.format in formats ? `${shown(input)} is not ${formats[issue.format]}.` : undefined;
    case 'too_small':
      if (issue.origin === 'string') return issue.minimum === 1 ? 'It cannot be empty.' : `It has ${lengthOf(input)} characters, and at least ${issue.minimum} are needed.`;
      return typeof input === 'number' ? `${input} is too little: ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum} is needed.` : `At least ${issue.minimum} is needed.`;
    case 'too_big':
      if (issue.origin === 'string') return `It has ${lengthOf(input)} characters, and at most ${issue.maximum} are allowed.`;
      return typeof input === 'number' ? `${input} is too much: ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum} is allowed.` : `There are ${lengthOf(input)}, and at most ${issue.maximum} are allowed.`;
    default:
      return undefined;
  }
}

const formats: Readonly<Record<string, string>> = {
  email: 'an e-mail address', datetime: 'a time such as 2026-11-20T12:00:00Z', ipv4: 'an IPv4 address', ipv6: 'an IPv6 address', cidrv4: 'an IPv4 range such as 192.0.2.0/24',
};
const kinds: Readonly<Record<string, string>> = {
  string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object', record: 'an object', null: 'null', undefined: 'nothing',
};

const kind = (type: string): string => kinds[type] ?? type;
const begin = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const typeOf = (input: unknown): string => (input === null ? 'null' : Array.isArray(input) ? 'array' : Number.isNaN(input) ? 'something else' : typeof input);
const lengthOf = (input: unknown): number => (input as { length?: number }).length ?? 0;
const LONGEST = 80;
const shown = (input: unknown): string => (typeof input === 'string' ? JSON.stringify(input.length > LONGEST ? `${input.slice(0, LONGEST)}…` : input) : kind(typeOf(input)));

function listed(values: readonly unknown[], last: 'and' | 'or'): string {
  const said = values.map((value) => JSON.stringify(value));
  return said.length < 2 ? said.join('') : `${said.slice(0, -1).join(', ')} ${last} ${said.at(-1)}`;
}
