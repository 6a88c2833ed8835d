import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProviderError } from '../provider-error.js';
import type { KeyProvider } from '../key.js';

/** A key provider, and others beside it. */
export interface KeyWorld {
  readonly provider: KeyProvider;
  /** Another instance with the same master keys, as after a restart. */
  restarted(): Promise<KeyProvider>;
  /** One with other master keys. */
  foreign(): Promise<KeyProvider>;
  close(): Promise<void>;
}

/** What every key provider promises in libs/providers/key.ts. */
export function keyContract(name: string, open: () => Promise<KeyWorld>): void {
  describe(`the ${name} key provider`, () => {
    let world: KeyWorld;
    const key = randomBytes(90);
    beforeAll(async () => void (world = await open()));
    afterAll(() => world?.close());

    it('gives back what it wrapped, also after a restart', async () => {
      const wrapped = await world.provider.wrap(key, 'project-1');
      expect(Buffer.from(await world.provider.unwrap(wrapped, 'project-1')).equals(key)).toBe(true);
      expect(Buffer.from(await (await world.restarted()).unwrap(wrapped, 'project-1')).equals(key)).toBe(true);
    });

    it('names the master key that it wraps with, always the same one', async () => {
      const { keyId } = await world.provider.wrap(key, 'project-1');
      expect(keyId).toBe(await world.provider.currentKeyId());
      expect(await (await world.restarted()).currentKeyId()).toBe(keyId);
      expect(await (await world.foreign()).currentKeyId()).not.toBe(keyId);
    });

    it('wraps into another text each time, which shows nothing of the key', async () => {
      const texts = await Promise.all([1, 2].map(async () => (await world.provider.wrap(key, 'project-1')).text));
      expect(texts[0]).not.toBe(texts[1]);
      for (const text of texts) expect([text.includes(key.toString('base64').slice(4, 40)), text.includes(key.toString('hex').slice(4, 40))]).toEqual([false, false]);
    });

    it.each([
      ['in another context', (text: string) => [text, 'project-2'] as const],
      ['when it was changed', (text: string) => [`${text.slice(0, -8)}${text.slice(-8, -4) === 'AAAA' ? 'BBBB' : 'AAAA'}${text.slice(-4)}`, 'project-1'] as const],
      ['when it is nothing of the kind', () => ['nonsense', 'project-1'] as const],
    ])('does not unwrap %s, and says so for good', async (_, change) => {
      const wrapped = await world.provider.wrap(key, 'project-1');
      const [text, context] = change(wrapped.text);
      await expect(world.provider.unwrap({ ...wrapped, text }, context)).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
    });

    it('wraps anew what it wrapped, for the same context alone', async () => {
      const again = await world.provider.rewrap(await world.provider.wrap(key, 'project-1'), 'project-1');
      expect(again.keyId).toBe(await world.provider.currentKeyId());
      expect(Buffer.from(await world.provider.unwrap(again, 'project-1')).equals(key)).toBe(true);
      await expect(world.provider.unwrap(again, 'project-2')).rejects.toMatchObject({ retryable: false });
      await expect(world.provider.rewrap({ ...again, text: 'nonsense' }, 'project-1')).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
    });

    it('knows the key that it wraps with, and not those of others', async () => {
      const current = await world.provider.currentKeyId();
      expect((await world.provider.keyIds())[0]).toBe(current);
      expect(await (await world.foreign()).keyIds()).not.toContain(current);
    });

    it('has another key when it is renewed, and still unwraps; or says who renews it', async () => {
      const [before, wrapped] = [await world.provider.currentKeyId(), await world.provider.wrap(key, 'project-1')];
      const refused = await world.provider.renew().then(() => undefined, (error: unknown) => error);
      if (refused) return expect(refused).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/put a new one/) });
      expect((await world.provider.keyIds()).slice(0, 2)).toEqual([expect.not.stringMatching(before), before]);
      expect(Buffer.from(await world.provider.unwrap(wrapped, 'project-1')).equals(key)).toBe(true);
      const again = await world.provider.rewrap(wrapped, 'project-1');
      await world.provider.forgetOthers();
      expect(Buffer.from(await (await world.restarted()).unwrap(again, 'project-1')).equals(key)).toBe(true);
    });

    it('does not unwrap what another master key wrapped', async () => {
      const wrapped = await (await world.foreign()).wrap(key, 'project-1');
      await expect(world.provider.unwrap(wrapped, 'project-1')).rejects.toBeInstanceOf(ProviderError);
      await expect(world.provider.unwrap(wrapped, 'project-1')).rejects.toMatchObject({ retryable: false });
    });
  });
}
