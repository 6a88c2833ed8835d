import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DnsProvider, DnsRecordWish } from '../dns.js';

/** A provider with real zones behind it, and a look at them that does not go through the provider. */
export interface DnsWorld {
  readonly provider: DnsProvider;
  /** The same plane's provider after a restart: it remembers nothing. */
  readonly restarted: DnsProvider;
  /** Another plane's provider for the same zones. */
  readonly another: DnsProvider;
  /** A zone that may be changed, for example example.com. There is also one below it, `sub.<zone>`. */
  readonly zone: string;
  /** All that is in the zones, ours or not, as `<type> <name> <value>`, sorted. */
  records(): Promise<string[]>;
  /** Makes a record by hand, as somebody else would. */
  plant(record: DnsRecordWish): Promise<void>;
  /** Empties the zones. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const shown = ({ type, name, value }: DnsRecordWish) => `${type} ${name} ${value}`;

/** What every DnsProvider promises in libs/providers/dns.ts. */
export function dnsContract(name: string, open: () => Promise<DnsWorld>): void {
  describe(`${name} as a DNS provider`, () => {
    let world: DnsWorld;
    beforeAll(async () => void (world = await open()));
    afterEach(() => world.clear());
    afterAll(() => world?.close());
    const at = (label: string) => `${label}.${world.zone}`;
    const wishes = (): DnsRecordWish[] => [
      { type: 'A', name: at('shop'), value: '192.0.2.1' },
      { type: 'AAAA', name: at('shop'), value: '2001:db8::1' },
      { type: 'CNAME', name: at('www'), value: 'shop.example.net' },
      { type: 'TXT', name: at('_acme-challenge.shop'), value: 'LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo' },
    ];

    it('finds the longest zone that holds a name', async () => {
      const { provider, zone } = world;
      expect(await Promise.all([zone, at('www'), at('a.b.c'), at('sub'), at('x.sub'), 'elsewhere.example.invalid', `not-${zone}`].map((one) => provider.zoneOf(one)))).toEqual(
        [zone, zone, zone, at('sub'), at('sub'), undefined, undefined],
      );
    });

    it('makes each kind of record once, lists it, and removes it, each as often as it is asked', async () => {
      for (let time = 0; time < 2; time++) for (const wish of wishes()) await (time ? world.restarted : world.provider).ensure(wish);
      expect(await world.records()).toEqual(wishes().map(shown).sort());
      expect((await world.provider.list(world.zone)).map(shown).sort()).toEqual(wishes().map(shown).sort());
      for (let time = 0; time < 2; time++) for (const wish of wishes()) await (time ? world.restarted : world.provider).remove(wish);
      expect(await world.records()).toEqual([]);
    });

    it('keeps several values of a name beside each other, and removes the one that is meant', async () => {
      const texts = ['one', 'two'].map((value): DnsRecordWish => ({ type: 'TXT', name: at('_acme-challenge'), value }));
      const addresses = ['192.0.2.1', '192.0.2.2'].map((value): DnsRecordWish => ({ type: 'A', name: at('shop'), value }));
      for (const wish of [...texts, ...addresses]) await world.provider.ensure(wish);
      await world.provider.remove(texts[0]!);
      await world.provider.remove(addresses[1]!);
      expect(await world.records()).toEqual([addresses[0]!, texts[1]!].map(shown));
    });

    it('changes a CNAME of ours that leads elsewhere', async () => {
      const alias = (value: string): DnsRecordWish => ({ type: 'CNAME', name: at('www'), value });
      await world.provider.ensure(alias('old.example.net'));
      await world.provider.ensure(alias('new.example.net'));
      await world.provider.remove(alias('old.example.net'));
      expect(await world.records()).toEqual([shown(alias('new.example.net'))]);
    });

    it('makes one of what is asked for at once', async () => {
      const all = wishes();
      await Promise.all([...all, ...all].flatMap((wish) => [world.provider.ensure(wish), world.restarted.ensure(wish)]));
      expect(await world.records()).toEqual(all.map(shown).sort());
      await Promise.all(all.flatMap((wish) => [world.provider.remove(wish), world.restarted.remove(wish)]));
      expect(await world.records()).toEqual([]);
    });

    it('refuses to lead visitors to two places, and never touches what is not its own', async () => {
      const theirs: DnsRecordWish[] = [{ type: 'A', name: at('taken'), value: '192.0.2.66' }, { type: 'CNAME', name: at('alias'), value: 'else.example.net' }];
      for (const record of theirs) await world.plant(record);
      for (const [type, value] of [['A', '192.0.2.1'], ['AAAA', '2001:db8::1'], ['CNAME', 'shop.example.net']] as const) {
        for (const record of theirs) {
          await expect(world.provider.ensure({ type, name: record.name, value })).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringContaining(record.name) });
        }
      }
      for (const record of theirs) await world.provider.remove(record);
      expect([await world.records(), await world.provider.list(world.zone)]).toEqual([theirs.map(shown).sort(), []]);
    });

    it('is content with what somebody else has set to the same, and leaves it', async () => {
      const theirs = wishes().filter(({ type }) => type !== 'AAAA');
      for (const record of theirs) await world.plant(record);
      for (const record of theirs) await world.provider.ensure(record);
      for (const record of theirs) await world.provider.remove(record);
      expect([await world.records(), await world.provider.list(world.zone)]).toEqual([theirs.map(shown).sort(), []]);
    });

    it('leaves other texts at the same name alone', async () => {
      const theirs: DnsRecordWish = { type: 'TXT', name: world.zone, value: 'v=spf1 -all' };
      const ours: DnsRecordWish = { ...theirs, value: 'ours' };
      await world.plant(theirs);
      await world.provider.ensure(ours);
      expect(await world.records()).toEqual([ours, theirs].map(shown));
      await world.provider.remove(ours);
      expect(await world.records()).toEqual([shown(theirs)]);
    });

    it('holds the records of another plane for somebody else\'s', async () => {
      const [alias] = wishes().filter(({ type }) => type === 'CNAME');
      await world.another.ensure(alias!);
      expect(await world.provider.list(world.zone)).toEqual([]);
      await world.provider.remove(alias!);
      await expect(world.provider.ensure({ ...alias!, value: 'mine.example.net' })).rejects.toMatchObject({ retryable: false });
      expect(await world.records()).toEqual([shown(alias!)]);
    });

    it('changes nothing of a name in no zone of the account', async () => {
      const nowhere: DnsRecordWish = { type: 'A', name: 'shop.elsewhere.invalid', value: '192.0.2.1' };
      await expect(world.provider.ensure(nowhere)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringContaining('shop.elsewhere.invalid') });
      await world.provider.remove(nowhere);
      expect(await world.records()).toEqual([]);
    });
  });
}
