import { describe, expect, it } from '@jest/globals';
import { Unavailable } from '#messaging/unavailable.js';
import { RateLimited } from '../certificate-authority.js';
import type { ProviderError } from '../provider-error.js';
import { asProviderError, detailOf, refusedCall, timeOf } from './acme-http.js';
import { serialBytes } from './renewal-info.js';

const now = new Date('2026-01-01T00:00:00.000Z');
const refusalOf = (...[status, said, retryAfter]: Parameters<typeof refusedCall>) => asProviderError(refusedCall(status, said, retryAfter), 'take an order', now) as ProviderError;
const problem = (kind: string, detail = 'no') => ({ type: `urn:ietf:params:acme:error:${kind}`, detail });

describe('what an authority refuses', () => {
  it('because it is asked too much is a limit until the time that it says', () => {
    for (const refusal of [refusalOf(429, problem('rateLimited', 'too many certificates'), '3600'), refusalOf(403, problem('rateLimited'), 'Thu, 01 Jan 2026 01:00:00 GMT'), refusalOf(503, {}, '3600')]) {
      expect(refusal).toBeInstanceOf(RateLimited);
      expect(refusal).toMatchObject({ retryable: true, notBefore: '2026-01-01T01:00:00.000Z' });
    }
    expect(refusalOf(429, {}, undefined)).toMatchObject({ notBefore: '', message: expect.stringContaining('does not say why') });
  });
  it('passes when it is its own fault, and not when it is ours', () => {
    expect([refusalOf(500, problem('serverInternal'), undefined), refusalOf(403, problem('orderNotReady'), undefined)].map(({ retryable }) => retryable)).toEqual([true, true]);
    expect([refusalOf(400, problem('rejectedIdentifier'), undefined), refusalOf(403, problem('caa'), undefined), refusalOf(404, {}, undefined)].map(({ retryable }) => retryable)).toEqual([false, false, false]);
  });
  it('is told in its own words, for each name', () => {
    const { message } = refusalOf(400, { ...problem('compound', 'Errors during\nvalidation'), subproblems: [{ detail: 'is blocked', identifier: { value: 'a.example.com' } }] }, undefined);
    expect(message).toBe('The certificate authority could not take an order: it answers 400 (compound): Errors during validation; a.example.com is blocked');
    expect(detailOf({ detail: 'x'.repeat(2_000) })).toHaveLength(600);
  });
  it('is not what a vault says that is away: that is no failure of the certificate', () => {
    const away = new Unavailable('secrets did not answer');
    expect([asProviderError(away, 'take an order'), asProviderError(new Error('ECONNRESET'), 'take an order')]).toEqual([away, expect.objectContaining({ name: 'ProviderError', retryable: true })]);
  });
  it('puts off for a week at most, whatever it says', () => {
    expect(['864000', '999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'].map((text) => (refusalOf(429, {}, text) as RateLimited).notBefore)).toEqual(Array(3).fill('2026-01-08T00:00:00.000Z'));
  });
  it('because it is out of order for some time is not asked again before that', () => expect(refusalOf(500, {}, '3600')).toMatchObject({ retryable: true, notBefore: '2026-01-01T01:00:00.000Z' }));
  it('names no time where it makes no sense', () => expect(['soon', '', '99999999999999999999'].map((text) => timeOf(text, now))).toEqual(['', '', '']));
});

describe('a serial number', () => {
  // RFC 9773, 4.1: 00:87:65:43:21 has its first zero back.
  it('is written as in the certificate', () => expect(['87654321', '7F', '0A', 'ABC'].map((hex) => serialBytes(hex).toString('hex'))).toEqual(['0087654321', '7f', '0a', '0abc']));
});
