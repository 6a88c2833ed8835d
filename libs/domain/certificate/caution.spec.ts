import { describe, expect, it } from '@jest/globals';
import { restUntil } from './caution.js';
import type { Certificate } from './certificate.js';
import { later } from './policy.js';

const now = '2026-01-08T00:00:00.000Z';
const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const issuedAt = (at: string, issuedBy = 'acme') => ({ status: 'deployed', issuedBy, issued: { notBefore: at } }) as Certificate;
/** One a minute, the last of them a day ago. */
const many = (count: number, issuedBy?: string) => Array.from({ length: count }, (_, i) => issuedAt(later(now, -DAY - i * MINUTE), issuedBy));

describe('how many certificates are ordered for what a registrar sold', () => {
  it('forty within a week, then as many as the week before them frees', () => {
    expect(restUntil(many(39), 'acme', now)).toBe('');
    expect(restUntil(many(40), 'acme', now)).toBe(later(now, 6 * DAY - 39 * MINUTE));
    expect(restUntil(many(45), 'acme', now)).toBe(later(now, 6 * DAY - 39 * MINUTE));
    expect(restUntil([...many(39), issuedAt(later(now, -7 * DAY))], 'acme', now)).toBe('');
  });

  it('counts what the same authority issued alone', () => {
    expect(restUntil([...many(39), ...many(40, 'uploaded'), ...many(40, 'cloudflare-origin')], 'acme', now)).toBe('');
    expect(restUntil([...many(20), { status: 'none', orders: 9, turn: 0 }, { ...issuedAt(now), issued: undefined } as never], 'acme', now)).toBe('');
  });
});
