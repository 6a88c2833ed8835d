import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '#domain/refusal.js';
import { backOffMs, fateOf } from './fate.js';

const failing = (fields: object): Error => Object.assign(new Error('It broke.'), fields);

describe('the fate of a message whose handler threw', () => {
  it.each([
    ['a refusal is for good', new Refusal('conflict', 'No.'), { kind: 'dead', reason: 'refused (conflict): No.' }],
    ["a provider's final error is for good", failing({ retryable: false }), { kind: 'dead', reason: 'Error: It broke.' }],
    ["a provider's error that may pass comes again", failing({ retryable: true }), { kind: 'again', reason: 'Error: It broke.' }],
    ['an error of ours comes again', failing({}), { kind: 'again', reason: 'Error: It broke.' }],
    ['what is no error comes again', 'odd', { kind: 'again', reason: 'odd' }],
    ['a database that is away is waited for', failing({ code: 'ECONNREFUSED' }), { kind: 'wait', reason: 'Error: It broke.' }],
    ['a database that shuts down is waited for', failing({ code: '57P01' }), { kind: 'wait', reason: 'Error: It broke.' }],
    ['the cause counts as well', failing({ cause: failing({ code: '08006' }) }), { kind: 'wait', reason: 'Error: It broke.' }],
    ["a provider's refused connection is a provider's error", failing({ code: 'ECONNREFUSED', retryable: true }), { kind: 'again', reason: 'Error: It broke.' }],
  ])('%s', (_, error, fate) => {
    expect(fateOf(error, 1, 4)).toEqual(fate);
  });

  it('is the dead letters after the last delivery, unless the database is away', () => {
    expect(fateOf(failing({ retryable: true }), 4, 4)).toEqual({ kind: 'dead', reason: 'given up after 4 deliveries: Error: It broke.' });
    expect(fateOf(failing({ code: 'ECONNRESET' }), 4, 4).kind).toBe('wait');
  });

  it('has a reason of one line', () => {
    expect(fateOf(new Error(`a\n  b\r\n${'c'.repeat(900)}`), 1, 2).reason).toMatch(/^Error: a b c{489}$/);
  });
});

describe('the back-off', () => {
  it('doubles up to 30 s', () => {
    expect([1, 2, 3, 7, 8, 9, 1_000].map((attempt) => backOffMs(attempt, 1))).toEqual([250, 500, 1_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is spread over its upper half', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
      const full = backOffMs(attempt, 1);
      const delay = backOffMs(attempt, chance);
      expect(delay).toBeGreaterThanOrEqual(full / 2);
      expect(delay).toBeLessThanOrEqual(full);
    }));
  });
});
