import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithKnot } from '../../../test/support/docker.js';
import { Knot } from '../../../test/support/knot.js';
import { ResolverLookup } from './resolver-lookup.js';

const name = 'shop.example.com';

describeWithKnot('a lookup at real name servers', () => {
  let first: Knot;
  let second: Knot;
  beforeAll(async () => {
    [first, second] = await Promise.all([Knot.start('example.com'), Knot.start('example.com')]);
    await first.set('example.com', `${name}. A 192.0.2.9`, `${name}. A 192.0.2.1`, `${name}. AAAA 2001:db8::1`, `www.example.com. CNAME Shop.Example.com.`, `${name}. TXT "part one, " "part two"`, `${name}. TXT "other"`);
  });
  afterAll(async () => {
    await Promise.all([first?.stop(), second?.stop()]);
  });
  const lookup = (...resolvers: string[]) => new ResolverLookup({ resolvers, timeoutMs: 200 });
  const values = async (type: 'A' | 'AAAA' | 'CNAME' | 'TXT', at: string) => (await lookup(first.address).ask([{ type, name: at }]))[0]!;

  it('finds addresses, aliases in lower case, and texts with their parts joined', async () => {
    expect((await values('A', name)).values).toEqual(['192.0.2.1', '192.0.2.9']);
    expect((await values('AAAA', name)).values).toEqual(['2001:db8::1']);
    expect((await values('CNAME', 'www.example.com')).values).toEqual([name]);
    expect((await values('TXT', name)).values).toEqual(['other', 'part one, part two']);
  });
  it('finds nothing, without an error, where there is no such name or record', async () => {
    expect(await values('CNAME', name)).toEqual({ resolver: first.address, type: 'CNAME', name, values: [], error: '' });
    expect(await values('A', 'nothing.example.com')).toMatchObject({ values: [], error: '' });
  });
  it('says what each resolver found, in the order of resolvers and questions', async () => {
    const found = await lookup(first.address, second.address).ask([{ type: 'A', name }, { type: 'AAAA', name }]);
    expect(found.map(({ resolver, type, values: all }) => [resolver, type, all.length])).toEqual([[first.address, 'A', 2], [first.address, 'AAAA', 1], [second.address, 'A', 0], [second.address, 'AAAA', 0]]);
  });
  it('sees a change of the zone at once', async () => {
    await second.set('example.com', `${name}. A 192.0.2.5`);
    const [found] = await lookup(second.address).ask([{ type: 'A', name }]);
    expect(found!.values).toEqual(['192.0.2.5']);
    await second.unset('example.com', `${name}. A`);
    expect((await lookup(second.address).ask([{ type: 'A', name }]))[0]!.values).toEqual([]);
  });
  it('gives an error, and throws none, where one refuses, is not there, or is silent; the others answer', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const found = await lookup(first.address, '127.0.0.1:9', `127.0.0.1:${silent.address().port}`).ask([{ type: 'A', name }]);
    silent.close();
    expect(found.map(({ values: all, error }) => [all.length, error])).toEqual([[2, ''], [0, expect.stringMatching(/nobody answers|in time/)], [0, 'it did not answer in time']]);
    expect((await values('A', 'elsewhere.example.org')).error).toBe('it refused');
  });
  it('asks this machine for its own resolvers when none is named', async () => {
    expect((await lookup().ask([{ type: 'A', name: 'localhost' }])).length).toBeGreaterThan(0);
  });
});
