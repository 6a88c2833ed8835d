import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { BackupTarget } from '../backup-target.js';

/** A target with the real storage behind it, and a look at that storage that does not go through the target. */
export interface TargetWorld {
  readonly target: BackupTarget;
  /** The same storage, where it cannot be reached or written. */
  readonly away: BackupTarget;
  /** Begins an upload and lets it lie, as a killed process does. */
  letLie(key: string): Promise<void>;
  /** Everything that takes room in the storage, unfinished uploads too. */
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const chunks = (bytes: Buffer) => Readable.from(Array.from({ length: Math.ceil(bytes.length / 65_521) }, (_, i) => bytes.subarray(i * 65_521, (i + 1) * 65_521)));

/** A stream that brings so much and then breaks, or, without an error, nothing more for ever. */
function broken(bytes: number, error?: Error): Readable {
  let sent = 0;
  return new Readable({
    read() {
      if (sent < bytes) this.push(randomBytes(65_536));
      else if (error) this.destroy(error);
      sent += 65_536;
    },
  });
}

/** What every BackupTarget promises in libs/providers/backup-target.ts. `partBytes`: what is larger is stored in parts. */
export function backupTargetContract(name: string, open: () => Promise<TargetWorld>, partBytes: number): void {
  describe(`${name} as a backup target`, () => {
    let world: TargetWorld;
    beforeAll(async () => void (world = await open()));
    afterAll(() => world?.close());
    afterEach(async () => {
      for (const { key } of await world.target.list('')) await world.target.remove(key);
      expect(await world.leftovers()).toEqual([]);
    });
    const freshKey = () => `project/site/${randomUUID()}.tar`;
    const read = async (key: string) => {
      const stream = await world.target.get(key);
      return stream && Buffer.concat((await stream.toArray()) as Buffer[]);
    };

    it.each([0, 1, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes, Math.floor(2.5 * partBytes)])('gives back what was put: %i bytes', async (size) => {
      const [key, bytes] = [freshKey(), randomBytes(size)];
      await world.target.put(key, chunks(bytes));
      expect(sha((await read(key))!)).toBe(sha(bytes));
      expect(await world.target.list('project/')).toEqual([{ key, sizeBytes: size }]);
    });

    it('lists by the beginning of the key, removes one without the others, and twice', async () => {
      const keys = ['a/one.tar', 'a/two.tar', 'ab/three.tar'];
      for (const key of keys) await world.target.put(key, chunks(Buffer.from(key)));
      expect((await world.target.list('a/')).map(({ key }) => key)).toEqual(keys.slice(0, 2));
      await world.target.remove('a/one.tar');
      await world.target.remove('a/one.tar');
      expect((await world.target.list('')).map(({ key }) => key)).toEqual(keys.slice(1));
      expect([await read('a/one.tar'), String(await read('a/two.tar'))]).toEqual([undefined, 'a/two.tar']);
    });

    it('puts another in place of what is there', async () => {
      const key = freshKey();
      for (const text of ['old', 'new']) await world.target.put(key, chunks(Buffer.from(text)));
      expect(String(await read(key))).toBe('new');
    });

    it.each([['before the first part is full', 0.5], ['after some parts', 2.2]])('keeps nothing of a stream that breaks, and what was there before: %s', async (_, parts) => {
      const key = freshKey();
      await expect(world.target.put(key, broken(parts * partBytes, new Error('the pipe broke')))).rejects.toThrow(/the pipe broke/);
      expect([await read(key), await world.leftovers()]).toEqual([undefined, []]);
      await world.target.put(key, chunks(Buffer.from('good')));
      await expect(world.target.put(key, broken(parts * partBytes, new Error('the pipe broke')))).rejects.toThrow(/the pipe broke/);
      expect([String(await read(key)), (await world.leftovers()).length]).toEqual(['good', 1]);
    });

    it('stops when it is called off, even while the stream brings nothing', async () => {
      const key = freshKey();
      const calledOff = AbortSignal.timeout(300);
      await expect(world.target.put(key, broken(1.5 * partBytes), calledOff)).rejects.toThrow();
      expect([await read(key), await world.leftovers()]).toEqual([undefined, []]);
    });

    it('never shows what a killed process left half-way, and gives its room back', async () => {
      const [one, other] = [freshKey(), freshKey()];
      for (const key of [one, other]) await world.letLie(key);
      expect([await world.target.list(''), await read(one)]).toEqual([[], undefined]);
      expect(await world.leftovers()).toHaveLength(2);
      await world.target.put(one, chunks(Buffer.from('whole')));
      await world.target.remove(other);
      expect([await world.leftovers(), String(await read(one))]).toEqual([[expect.stringContaining(one)], 'whole']);
    });

    it.each(['', '/etc/passwd', '../x', 'a/../b', 'a//b', 'a/.hidden', 'a b', 'x~part'])('refuses the key %j', async (key) => {
      await expect(world.target.put(key, chunks(Buffer.from('x')))).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
      await expect(world.target.get(key)).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
    });

    it('says so when the storage is away', async () => {
      await expect(world.away.put(freshKey(), chunks(Buffer.from('x')))).rejects.toMatchObject({ name: 'ProviderError', message: expect.stringMatching(/^The backup (storage|folder) /) });
    });
  });
}
