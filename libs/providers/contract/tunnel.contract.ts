import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TunnelProvider } from '../tunnel.js';

/** A tunnel with whatever runs it, and a look at that which does not go through the provider. */
export interface TunnelWorld {
  readonly provider: TunnelProvider;
  /** The provider of the next process, after one that died at once. */
  restarted(): TunnelProvider;
  /** The hostnames that visitors are led here by, as the tunnel itself has them. */
  led(): Promise<readonly string[]>;
  /** Has no configuration come up, or all do again. */
  break(isBroken: boolean): Promise<void>;
  /** Puts a configuration of somebody else in place. */
  plantForeign(): Promise<void>;
  /** Whether that configuration is still there. */
  hasForeign(): Promise<boolean>;
  close(): Promise<void>;
}

/** What every TunnelProvider promises in libs/providers/tunnel.ts. */
export function tunnelContract(name: string, open: () => Promise<TunnelWorld>): void {
  describe(`${name} as a tunnel`, () => {
    let world: TunnelWorld;
    beforeEach(async () => {
      world = await open();
      await world.provider.start();
    });
    afterEach(() => world.close());
    const table = (revision: number, ...hostnames: string[]) => ({ revision, hostnames });

    it('leads the hostnames of a table here, each table in place of the last, and none in the end', async () => {
      for (const [i, hostnames] of [['shop.example.com'], ['shop.example.com', '*.sites.example.net', 'example.org'], ['example.org'], []].entries()) {
        const applied = await world.provider.apply(table(i + 1, ...hostnames));
        expect([[...applied.hostnames].sort(), [...(await world.led())].sort(), [...((await world.provider.served())?.hostnames ?? ['nobody answers'])].sort()]).toEqual([0, 0, 0].map(() => [...hostnames].sort()));
      }
    });

    it('takes a table twice, and two at once', async () => {
      await world.provider.apply(table(1, 'a.example.com'));
      await world.provider.apply(table(1, 'a.example.com'));
      await Promise.all([world.provider.apply(table(2, 'a.example.com', 'b.example.com')), world.provider.apply(table(3, 'b.example.com'))]);
      expect(await world.led()).toEqual(['b.example.com']);
    });

    it('changes nothing for an older table', async () => {
      await world.provider.apply(table(5, 'a.example.com'));
      expect((await world.provider.apply(table(4, 'old.example.com'))).hostnames).toEqual(['a.example.com']);
      expect(await world.led()).toEqual(['a.example.com']);
    });

    it('goes on with the last table after a restart', async () => {
      await world.provider.apply(table(1, 'a.example.com'));
      const next = world.restarted();
      await next.start();
      expect([await world.led(), (await next.served())?.hostnames]).toEqual([['a.example.com'], ['a.example.com']]);
      await next.apply(table(2, 'b.example.com'));
      expect(await world.led()).toEqual(['b.example.com']);
    });

    it('keeps the last table that came up when the next one does not, and takes it when it can', async () => {
      await world.provider.apply(table(1, 'a.example.com'));
      await world.break(true);
      await expect(world.provider.apply(table(2, 'b.example.com'))).rejects.toMatchObject({ name: 'ProviderError' });
      await world.break(false);
      for (const end = Date.now() + 20_000; Date.now() < end && String(await world.led()) !== 'a.example.com'; ) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await world.led()).toEqual(['a.example.com']);
      await world.provider.apply(table(2, 'b.example.com'));
      expect(await world.led()).toEqual(['b.example.com']);
    });

    it.each(['', 'a b.example.com', 'a.example.com/x', 'x.*.example.com', 'UPPER.example.com', '"', 'a.example.com\n', '*', 'localhost:80'])('refuses %j before anything is changed', async (hostname) => {
      await world.provider.apply(table(1, 'a.example.com'));
      await expect(world.provider.apply(table(2, hostname))).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
      expect(await world.led()).toEqual(['a.example.com']);
    });

    it('never replaces what somebody else has made', async () => {
      await world.plantForeign();
      await expect(world.provider.apply(table(1, 'a.example.com'))).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
      expect(await world.hasForeign()).toBe(true);
    });
  });
}
