import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { DnsRecordWish } from '../dns.js';
import { bodyOf, isOurs, markOf, planFor, wishOf, type ShownRecord } from './requests.js';
import { readText, textOf } from './txt.js';

const PLANE = '0f8fad5b-d9cb-469f-a165-70867728950e';
const comment = `${markOf(PLANE)} kept by it, do not edit.`;
const wish = (type: DnsRecordWish['type'], value: string, more: Partial<DnsRecordWish> = {}): DnsRecordWish => ({ type, name: 'shop.example.com', value, ...more });
const record = (type: string, content: string, more: Partial<ShownRecord> = {}): ShownRecord => ({ id: `${type}-${content}`, type, name: 'shop.example.com', content, ttl: 1, comment, ...more });
const theirs = (type: string, content: string): ShownRecord => record(type, content, { comment: 'mine' });

describe('a record of ours', () => {
  it('is asked for with its mark', () => {
    expect(bodyOf(wish('A', '192.0.2.1', { proxied: true }), PLANE, true)).toEqual({ type: 'A', name: 'shop.example.com', content: '192.0.2.1', ttl: 1, proxied: true, comment, tags: [`hostplane:${PLANE}`] });
    expect(bodyOf(wish('TXT', 'say "hi"', { ttlSeconds: 60 }), PLANE, false)).toEqual({ type: 'TXT', name: 'shop.example.com', content: '"say \\"hi\\""', ttl: 60, comment });
    expect(comment.length).toBeLessThanOrEqual(100);
  });
  it('bears the mark of this very plane', () => {
    expect([comment, `x ${comment}`, 'Hostplane', '', null, undefined, comment.replace('0f8', '0f9')].map((one) => isOurs({ comment: one }, PLANE))).toEqual([true, false, false, false, false, false, false]);
  });
});

describe('what has to be done', () => {
  it.each([
    ['nothing is there', wish('A', '192.0.2.1'), [], { kind: 'create' }],
    ['it is there', wish('A', '192.0.2.1'), [record('A', '192.0.2.1')], { kind: 'nothing' }],
    ['it is there by somebody else', wish('A', '192.0.2.1'), [theirs('A', '192.0.2.1')], { kind: 'nothing' }],
    ['it is there by somebody else with another TTL', wish('A', '192.0.2.1', { ttlSeconds: 60 }), [theirs('A', '192.0.2.1')], { kind: 'nothing' }],
    ['it is written otherwise', wish('AAAA', '2001:db8:0::1'), [record('AAAA', '2001:db8::1')], { kind: 'nothing' }],
    ['it has another TTL', wish('A', '192.0.2.1', { ttlSeconds: 60 }), [record('A', '192.0.2.1')], { kind: 'change', id: 'A-192.0.2.1' }],
    ['it is proxied, whose TTL is not ours to say', wish('A', '192.0.2.1', { ttlSeconds: 60 }), [record('A', '192.0.2.1', { proxied: true })], { kind: 'nothing' }],
    ['it is not proxied', wish('A', '192.0.2.1', { proxied: true }), [record('A', '192.0.2.1')], { kind: 'change', id: 'A-192.0.2.1' }],
    ['another address of ours is there', wish('A', '192.0.2.1'), [record('A', '192.0.2.2')], { kind: 'create' }],
    ['an alias of ours leads elsewhere', wish('CNAME', 'b.example.net'), [record('CNAME', 'a.example.net')], { kind: 'change', id: 'CNAME-a.example.net' }],
    ['other texts are there', wish('TXT', 'b'), [theirs('TXT', '"a"'), theirs('TXT', 'c'), theirs('MX', 'mail.example.net')], { kind: 'create' }],
    ['the text is there without quotes', wish('TXT', 'b'), [theirs('TXT', 'b')], { kind: 'nothing' }],
    ['only other names have records', wish('A', '192.0.2.1'), [{ ...theirs('A', '192.0.2.9'), name: 'x.shop.example.com' }], { kind: 'create' }],
  ])('when %s', (_, wanted, there, plan) => expect(planFor(wanted, there, PLANE)).toEqual(plan));

  it.each([
    ['somebody else\'s address', wish('A', '192.0.2.1'), [theirs('A', '192.0.2.9')], /record A to 192\.0\.2\.9, this plane did not make it/],
    ['somebody else\'s address beside ours', wish('A', '192.0.2.1'), [record('A', '192.0.2.1'), theirs('AAAA', '2001:db8::9')], /AAAA to 2001:db8::9, this plane did not make it/],
    ['somebody else\'s alias', wish('CNAME', 'b.example.net'), [theirs('CNAME', 'a.example.net')], /CNAME to a\.example\.net, this plane did not/],
    ['an address of ours', wish('CNAME', 'b.example.net'), [record('A', '192.0.2.1')], /made it for something else/],
    ['an alias of ours', wish('A', '192.0.2.1'), [record('CNAME', 'b.example.net')], /made it for something else/],
  ])('is refused beside %s', (_, wanted, there, why) => {
    expect(() => planFor(wanted, there, PLANE)).toThrow(expect.objectContaining({ name: 'ProviderError', retryable: false, message: expect.stringMatching(why) }));
  });

  it('never touches a record of somebody else, whatever is there, and is done after one change', () => {
    const type = fc.constantFrom('A', 'AAAA', 'CNAME', 'TXT', 'MX');
    const value = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1', 'a.example.net', 'b.example.net');
    const rows = fc.array(fc.tuple(type, value, fc.boolean()).map(([t, v, ours]) => (ours ? record(t, v) : theirs(t, v))), { maxLength: 5 });
    const wanted = fc.tuple(fc.constantFrom('A', 'AAAA', 'CNAME', 'TXT'), value, fc.option(fc.constantFrom(60, 300), { nil: undefined })).map(([t, v, ttlSeconds]) => wish(t as DnsRecordWish['type'], v, ttlSeconds === undefined ? {} : { ttlSeconds }));
    fc.assert(fc.property(wanted, rows, (one, there) => {
      let plan;
      try {
        plan = planFor(one, there, PLANE);
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProviderError', retryable: false });
        return;
      }
      if (plan.kind === 'nothing') return;
      const { id } = plan as { id?: string };
      if (id !== undefined) expect(there.some((row) => row.id === id && isOurs(row, PLANE))).toBe(true);
      const made: ShownRecord = { id: 'new', ...bodyOf(one, PLANE, false) };
      const after = [...there.filter((row) => row.id !== id), made];
      expect(planFor(one, after, PLANE)).toEqual({ kind: 'nothing' });
    }), { numRuns: 3000 });
  });
});

describe('a text in a TXT record', () => {
  it('is quoted, in parts of at most 255 bytes, and read back the same', () => {
    expect(textOf('')).toBe('""');
    expect(textOf('a'.repeat(256))).toBe(`"${'a'.repeat(255)}" "a"`);
    expect([readText('plain'), readText('"a" "b"'), readText('"a\\"b"'), readText('"broken'), readText('a "b"')]).toEqual(['plain', 'ab', 'a"b', '"broken', 'a "b"']);
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (text) => {
      expect(readText(textOf(text))).toBe(text);
      for (const [, part] of textOf(text).matchAll(/"((?:[^"\\]|\\.)*)"/gsu)) expect(Buffer.byteLength(part!.replace(/\\(.)/gsu, '$1'))).toBeLessThanOrEqual(255);
    }), { numRuns: 1000 });
  });
});

it('a record is read as the wish that would have made it', () => {
  expect([record('A', '192.0.2.1', { ttl: 60 }), record('CNAME', 'a.example.net', { proxied: true }), record('TXT', '"x"'), record('MX', 'm')].map(wishOf)).toEqual([
    wish('A', '192.0.2.1', { ttlSeconds: 60 }), wish('CNAME', 'a.example.net', { proxied: true }), wish('TXT', 'x'), undefined,
  ]);
});
