import { describe, expect, it } from '@jest/globals';
import { challengeName, expectedRecords, judge, type Place } from './proof.js';

const name = 'shop.example.com';
const place: Place = { addresses: ['192.0.2.1', '2001:db8::1'], siteHostname: 'shop.plane.example', isOurs: (address) => ['192.0.2.1', '2001:db8::1'].includes(address), isProxy: (address) => address.startsWith('104.16.') };
const expected = expectedRecords(name, 'token', place, false);

type Zone = Partial<Record<'A' | 'AAAA' | 'CNAME' | 'TXT', string[]>>;
/** What resolvers find, one zone each; undefined: it does not answer. */
function found(...zones: (Zone | undefined)[]) {
  return zones.flatMap((zone, i) => (['A', 'AAAA', 'CNAME', 'TXT'] as const).map((type) => ({
    resolver: `192.0.2.${50 + i}`, type, name: type === 'TXT' ? challengeName(name) : name, values: zone?.[type] ?? [], error: zone ? '' : 'it did not answer in time',
  })));
}
const verdict = (...zones: (Zone | undefined)[]) => {
  const { isOwned, pointsHere } = judge(name, 'token', expected, found(...zones), place);
  return [isOwned, pointsHere];
};

describe('what is expected', () => {
  it('is a token, and one of the records that lead here; at the top of a zone no CNAME', () => {
    expect(expected.map(({ purpose, type, value }) => [purpose, type, value])).toEqual([
      ['ownership', 'TXT', 'token'], ['pointing', 'A', '192.0.2.1'], ['pointing', 'AAAA', '2001:db8::1'], ['pointing', 'CNAME', 'shop.plane.example'],
    ]);
    expect(expectedRecords(name, 'token', place, true).map(({ type }) => type)).toEqual(['TXT', 'A', 'AAAA']);
  });
});

describe('what is found', () => {
  it.each<[string, Zone, boolean, boolean]>([
    ['nothing', {}, false, false],
    ['the token alone', { TXT: ['other', 'token'] }, true, false],
    ['the token of another', { TXT: ['token2', 'TOKEN'], A: ['192.0.2.1'] }, false, true],
    ['our address', { A: ['192.0.2.1'] }, false, true],
    ['both our addresses', { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] }, false, true],
    ['another address beside ours', { A: ['192.0.2.1', '198.51.100.7'] }, false, false],
    ['ours for IPv4 and another for IPv6', { A: ['192.0.2.1'], AAAA: ['2001:db8::bad'] }, false, false],
    ['a CNAME to the site', { CNAME: ['shop.plane.example'], A: ['203.0.113.9'] }, false, true],
    ['a CNAME to another site', { CNAME: ['blog.plane.example'] }, false, false],
    ['the proxy: that proves no ownership', { A: ['104.16.0.1', '104.16.9.9'] }, false, true],
    ['the proxy beside us', { A: ['104.16.0.1', '192.0.2.1'] }, false, false],
  ])('%s', (_, zone, isOwned, pointsHere) => expect(verdict(zone)).toEqual([isOwned, pointsHere]));

  const ready = { TXT: ['token'], A: ['192.0.2.1'] };
  it('counts when more than half of the resolvers show it', () => {
    expect(verdict(ready, {})).toEqual([false, false]);
    expect(verdict(ready, ready, {})).toEqual([true, true]);
    expect(verdict(ready, ready, undefined)).toEqual([true, true]);
    expect(verdict(ready, undefined, undefined)).toEqual([false, false]);
    expect(verdict(undefined)).toEqual([false, false]);
    expect(judge(name, 'token', expected, [], place).isOwned).toBe(false);
  });
  it('is said to be too much where only a part leads here', () => {
    const { missing } = judge(name, 'token', expected, found({ TXT: ['token'], A: ['192.0.2.1', '198.51.100.7'], AAAA: ['2001:db8::bad'] }), place);
    expect(missing).toBe('shop.example.com leads to 198.51.100.7, 2001:db8::bad too, where some of its visitors would get lost: it has to lead to 192.0.2.1 or 2001:db8::1 or shop.plane.example alone.');
    expect(judge(name, 'token', expected, found({ TXT: ['token'], A: ['192.0.2.1'] }, { TXT: ['token'], A: ['198.51.100.7'] }), place).missing).toMatch(/leads to 192\.0\.2\.1, 198\.51\.100\.7, it has to lead to .* \(1 of 2 resolvers show it, 2 have to\)\.$/);
  });
  it('is said in full: what is missing, what is there instead, and who did not answer', () => {
    const { missing } = judge(name, 'token', expected, found({ A: ['198.51.100.7'] }, undefined), place);
    expect(missing).toBe('The TXT record _hostplane-challenge.shop.example.com with the value token is not there yet. shop.example.com leads to 198.51.100.7, it has to lead to 192.0.2.1 or 2001:db8::1 or shop.plane.example. Without an answer: 192.0.2.51: it did not answer in time.');
    expect(judge(name, 'token', expected, found(ready), place).missing).toBe('');
  });
  it('is kept within bounds', () => {
    const { found: kept } = judge(name, 'token', expected, found({ TXT: [...Array.from({ length: 99 }, () => 'x'.repeat(9000)), 'token'] }), place);
    expect(JSON.stringify(kept).length).toBeLessThan(8_000);
    expect(verdict({ TXT: [...Array.from({ length: 99 }, () => 'x'), 'token'] })).toEqual([true, false]);
  });
});
