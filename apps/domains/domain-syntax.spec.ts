import { isIP } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { toASCII, toUnicode } from 'tr46';
import { Refusal } from '#domain/refusal.js';
import { acceptedNames } from '../../test/support/hostile-names.js';
import { readDomainName } from './domain-syntax.js';

const BASE = 'sites.example.net';
const read = (typed: string) => readDomainName(typed, BASE).name;

describe('a custom domain', () => {
  it.each([
    ['shop.example.com', 'shop.example.com'], ['Shop.EXAMPLE.com', 'shop.example.com'], ['example.com.', 'example.com'], ['bücher.example.de', 'xn--bcher-kva.example.de'],
    ['faß.de', 'xn--fa-hia.de'], ['例え.jp', 'xn--r8jz45g.jp'], ['ｅｘ。com', 'ex.com'], ['me.github.io', 'me.github.io'], ['a.b.co.uk', 'a.b.co.uk'], ['1.2.3.com', '1.2.3.com'],
  ])('may be %s', (typed, name) => expect(read(typed)).toBe(name));

  it.each([
    ['', /not a domain name/], ['com', /public suffix/], ['co.uk', /public suffix/], ['github.io', /public suffix/], ['localhost', /public suffix list/], ['shop.invalid', /public suffix list/],
    ['shop.internal', /public suffix list/], [BASE, /by this plane itself/], [`a.b.${BASE}`, /by this plane itself/], ['*.example.com', /wildcards/], ['*', /wildcards/],
    ['192.0.2.1', /IP address/], ['0x7f.1', /public suffix list/], ['[::1]', /not a domain/], ['::1', /not a domain/], ['a..com', /not a domain/], ['.a.com', /not a domain/], ['a.com..', /not a domain/],
    ['-a.com', /not a domain/], ['a-.com', /not a domain/], ['ab--cd.com', /not a domain/], ['xn--a.com', /not a domain/], ['xn--zzzzzz--.com', /not a domain/], ['a_b.com', /not a domain/],
    [`${'x'.repeat(64)}.com`, /not a domain/], [`${'x.'.repeat(126)}com`, /not a domain/], [`${'x.'.repeat(115)}com`, /characters, at most 232/], ['a b.com', /not a domain/], ['a.com/x', /not a domain/],
    ['a.com:80', /not a domain/], ['u@a.com', /not a domain/], ['%61.com', /not a domain/], ['a\0.com', /not a domain/], ['a.com\n', /not a domain/], ['a\u200db.com', /not a domain/], ['1א.com', /not a domain/],
  ])('cannot be %j', (typed, why) => {
    let refusal: unknown;
    try {
      read(typed);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ code: 'invalid', field: 'name', message: expect.stringMatching(why) });
  });

  it('says whether it is the top of its zone', () => {
    expect(['example.com', 'www.example.com', 'me.github.io', 'x.me.github.io'].map((name) => readDomainName(name, BASE).isZoneTop)).toEqual([true, false, true, false]);
  });
});

describe('of two thousand hostile names', () => {
  it('none is accepted that is no host name of somebody else under a public suffix', () => {
    const all = acceptedNames(BASE);
    expect(all.length).toBeGreaterThan(100);
    expect(all.length).toBeLessThan(1_900);
    for (const name of all) {
      expect(name).toMatch(/^(?=.{4,232}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
      expect(name.split('.').filter((label) => label.slice(2, 4) === '--' && !label.startsWith('xn--'))).toEqual([]);
      expect(isIP(name)).toBe(0);
      expect(name === BASE || name.endsWith(`.${BASE}`) || name.endsWith('.localhost')).toBe(false);
      expect(read(name)).toBe(name);
      const unicode = toUnicode(name);
      expect([unicode.error, toASCII(unicode.domain)]).toEqual([false, name]);
    }
  });
});
