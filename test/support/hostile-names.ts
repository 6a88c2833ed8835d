import fc from 'fast-check';
import { Refusal } from '#domain/refusal.js';
import { readDomainName } from '../../apps/domains/domain-syntax.js';

const piece = fc.constantFrom('a', 'ab', 'A', 'ß', 'ü', 'א', '例', 'xn--', 'xn--bcher-kva', '-', '--', '_', '.', '..', '。', '．', '*', ' ', ';', '{', '}', '"', '\\', '$', '\n', '\0', '~', '/', ':', '@', '%41', '\u00ad', '\u200d', '\u2028', '\ud800', '١', '٠', '1', '127', '0x7f', 'com', 'co.uk', 'github.io', 'localhost', 'sites.example.net', 'default', 'hostnames', 'include', 'x'.repeat(63), '💩');
const hostile = fc.oneof(
  fc.array(piece, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('')),
  fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => `${parts.join('')}.com`),
  fc.array(piece, { minLength: 2, maxLength: 5 }).map((parts) => parts.join('.')),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => `${text}.org`),
  fc.domain(),
);

/** Two thousand names, the same in each run. */
const names: readonly string[] = fc.sample(hostile, { numRuns: 2_000, seed: 42 });

/** Those of them that are accepted as custom domains, as they would be stored. */
export function acceptedNames(baseDomain: string): string[] {
  return names.flatMap((typed) => {
    try {
      return [readDomainName(typed, baseDomain).name];
    } catch (error) {
      if (error instanceof Refusal) return [];
      throw error;
    }
  });
}
