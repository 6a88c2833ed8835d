import { describe, expect, it } from '@jest/globals';
import { lastWords } from './last-words.js';
import { masked } from './masked.js';

const VALUE = 'planted-secret-value';

describe('a text', () => {
  it('is masked, the lines of a value and its form in JSON too', () => {
    expect(masked('a planted-1 b {"x":"say \\"planted\\""} first-line second-line on', ['planted-1', 'say "planted"', 'first-line\nsecond-line', 'on'])).toBe('a *** b {"x":"***"} *** *** on');
  });
});

describe('the last words of a log', () => {
  it('show no part of a value, wherever the cut falls', () => {
    const parts = Array.from({ length: VALUE.length - 3 }, (_, at) => VALUE.slice(at, at + 4));
    for (let after = 4_096 - VALUE.length - 2; after <= 4_096; after++) {
      const words = lastWords(`before ${VALUE}${'x'.repeat(after)}`, [VALUE]);
      expect([words.length, parts.filter((part) => words.includes(part))]).toEqual([Math.min(after + 'before ***'.length, 4_096), []]);
    }
  });
  it.each([[VALUE.slice(5), 'begins'], [VALUE.slice(1), 'begins'], [VALUE.slice(0, 10), 'ends'], [VALUE.slice(0, -1), 'ends']])('show no part where the log itself is cut: it has %j where it %s', (part, where) => {
    const log = where === 'begins' ? `${part} and more` : `more and ${part}`;
    expect(lastWords(log, [VALUE])).toBe(where === 'begins' ? '*** and more' : 'more and ***');
  });
  it('show no line of a value of several lines whose first ones are not among them', () => {
    const log = ['-----BEGIN KEY-----', 'line-one-of-it', 'line-two-of-it', ...Array.from({ length: 19 }, (_, i) => `line ${i}`)].join('\n');
    const words = lastWords(log, ['-----BEGIN KEY-----\nline-one-of-it\nline-two-of-it']);
    expect(words.split('\n')).toEqual(['***', ...Array.from({ length: 19 }, (_, i) => `line ${i}`)]);
  });
  it('are the last twenty lines, whole where they fit', () => {
    expect(lastWords(`${Array.from({ length: 30 }, (_, i) => i).join('\n')}\n`, [])).toBe(Array.from({ length: 20 }, (_, i) => i + 10).join('\n'));
  });
});
