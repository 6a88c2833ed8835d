import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { realStorage, S3Look, type S3Access } from '../../../test/support/s3-storage.js';
import { S3StandIn } from '../../../test/support/s3-stand-in.js';
import { Wire } from '../../../test/support/wire.js';
import { backupTargetContract } from '../contract/backup-target.contract.js';
import { S3Target, type S3Settings } from './s3-target.js';

const partBytes = 5 * 1024 * 1024;
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const one = () => Readable.from([Buffer.from('x')]);

interface Storage extends S3Access {
  /** More objects than its lists show at once. */
  readonly severalPages: number;
  close(): Promise<void>;
}

async function standIn(): Promise<Storage> {
  const storage = new S3StandIn();
  await storage.start();
  const { endpoint, bucket, accessKey, secretKey } = storage;
  return { endpoint, bucket, accessKey, secretKey, region: 'us-east-1', severalPages: 5, close: () => storage.stop() };
}

s3Target('an S3 storage', standIn);

const real = realStorage();
if (typeof real !== 'string') s3Target(`the S3 storage at ${real.endpoint}`, () => Promise.resolve({ ...real, severalPages: 1_003, close: () => Promise.resolve() }));
else describe.skip(`a real S3 storage (skipped: set ${real})`, () => it('is a backup target', () => undefined));

describe('a server that answers', () => {
  const xml = (code: string) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>As asked</Message></Error>`;

  it.each([
    [301, xml('PermanentRedirect'), false, 'HTTP 301, PermanentRedirect: As asked'],
    [301, '', false, 'HTTP 301'],
    [400, xml('RequestTimeout'), true, 'HTTP 400, RequestTimeout: As asked'],
    [404, '<html><h1>Not here', false, 'HTTP 404, '],
    [404, xml('NoSuchUpload'), true, 'HTTP 404, NoSuchUpload: As asked'],
    [501, xml('NotImplemented'), false, 'HTTP 501, NotImplemented: As asked'],
    [502, '<html>Bad gateway</html>', true, 'HTTP 502'],
    [503, 'busy', true, 'HTTP 503, '],
    [507, '', true, 'HTTP 507'],
  ])('%i %j: what becomes of a backup', async (status, body, retryable, says) => {
    const server = createServer((request, response) => void request.resume().on('end', () => response.writeHead(status).end(body)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const failed = (await new S3Target({ endpoint, region: 'us-east-1', bucket: 'backups', accessKey: 'a', secretKey: 'b', prefix: '' }).put('a.tar', one()).catch((error: unknown) => error)) as Error;
    expect(failed).toMatchObject({ name: 'ProviderError', retryable, message: expect.stringContaining(`${retryable ? 'could not' : 'refused to'} store a.tar in the bucket backups (${says}`) });
    expect(failed.message).not.toMatch(/Unknown|\n|\(\)|, \)/);
    server.closeAllConnections();
    server.close();
  });
});

function s3Target(name: string, open: () => Promise<Storage>): void {
  backupTargetContract(name, async () => {
    const storage = await open();
    const look = new S3Look(storage);
    const settings: S3Settings = { ...storage, prefix: look.prefix, partBytes };
    return {
      target: new S3Target(settings),
      away: new S3Target({ ...settings, endpoint: 'http://127.0.0.1:9' }),
      letLie: (key) => look.letLie(key),
      leftovers: async () => [...(await look.objects()).map(({ key }) => key), ...(await look.uploads())],
      close: storage.close,
    };
  }, partBytes);

  describe(name, () => {
    let storage: Storage;
    let look: S3Look;
    let wire: Wire;
    let target: S3Target;
    beforeAll(async () => {
      storage = await open();
      look = new S3Look(storage);
      wire = new Wire(new URL(storage.endpoint));
      await wire.start();
      target = through();
    });
    afterAll(async () => {
      await wire?.stop();
      await look?.clear();
      await storage?.close();
    });
    const through = (more: Partial<S3Settings> = {}) => new S3Target({ ...storage, prefix: look.prefix, partBytes, endpoint: wire.endpoint, ...more });
    const parts = (count: number) => Readable.from((function* () {
      for (let part = 0; part < count; part++) yield Buffer.alloc(partBytes, part);
    })());

    it('says which bucket is missing and what is refused, for good, without the secret', async () => {
      const lost = await through({ bucket: `${storage.bucket}-nowhere` }).put('a.tar', one()).catch((error: unknown) => error);
      expect(lost).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/bucket \S+-nowhere .*NoSuchBucket/) });
      for (const wrong of [{ secretKey: 'another-secret' }, { accessKey: 'nobody' }]) {
        const refused = await through(wrong).put('a.tar', one()).catch((error: unknown) => error);
        expect(refused).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/HTTP 403, (SignatureDoesNotMatch|InvalidAccessKeyId)/) });
        expect((refused as Error).message).not.toMatch(/another-secret/);
        expect((refused as Error).message).not.toContain(storage.secretKey);
      }
    });

    it('stores 60 MB in parts of its own size', async () => {
      const bytes = randomBytes(60_000_000);
      const own = new S3Target({ ...storage, prefix: look.prefix });
      await own.put('large.tar', Readable.from([bytes]));
      expect(sha(Buffer.concat((await (await own.get('large.tar'))!.toArray()) as Buffer[]))).toBe(sha(bytes));
      await own.remove('large.tar');
    });

    it('lists all of several pages', async () => {
      const keys = Array.from({ length: storage.severalPages }, (_, i) => `many/${String(i).padStart(5, '0')}.tar`);
      await look.fill(keys);
      expect((await target.list('many/')).map(({ key }) => key)).toEqual(keys);
      await look.clear();
    }, 300_000);

    it('says that it went away half-way, may be tried again, and then keeps only the whole', async () => {
      wire.after(1.5 * partBytes, () => void wire.stop());
      await expect(target.put('half.tar', parts(3))).rejects.toMatchObject({ name: 'ProviderError', retryable: true, message: expect.stringContaining(`at ${wire.endpoint} could not store half.tar`) });
      expect([await look.objects(), (await look.uploads()).length]).toEqual([[], 1]);
      await wire.start();
      await target.put('half.tar', parts(3));
      expect([(await look.objects()).map(({ sizeBytes }) => sizeBytes), await look.uploads()]).toEqual([[3 * partBytes], []]);
      await target.remove('half.tar');
    });

    it('stores all the same when a connection breaks once', async () => {
      wire.after(1.5 * partBytes, () => wire.cut());
      await target.put('once.tar', parts(3));
      expect(sha(Buffer.concat((await (await target.get('once.tar'))!.toArray()) as Buffer[]))).toBe(sha(Buffer.concat((await parts(3).toArray()) as Buffer[])));
      await target.remove('once.tar');
    });

    it('stores the whole, at once or in the next try, when the answer to its last request is lost', async () => {
      wire.loseAnswer(/^POST \S+[?&]uploadId=/);
      const failed = await target.put('late.tar', parts(2)).catch((error: unknown) => error);
      expect([undefined, expect.objectContaining({ name: 'ProviderError', retryable: true })]).toContainEqual(failed);
      if (failed) await target.put('late.tar', parts(2));
      expect(sha(Buffer.concat((await (await target.get('late.tar'))!.toArray()) as Buffer[]))).toBe(sha(Buffer.concat((await parts(2).toArray()) as Buffer[])));
      expect(await look.uploads()).toEqual([]);
      await target.remove('late.tar');
    });

    it('waits no longer than it may for a storage that says nothing more', async () => {
      const impatient = through({ silentMs: 500 });
      await impatient.put('there.tar', parts(2));
      const silence = () => wire.after(1.5 * partBytes, () => wire.silence());
      const failing = { name: 'ProviderError', retryable: true, message: expect.stringMatching(/could not .* \(TimeoutError: the request socket timed out/) };
      const within = <T>(promise: Promise<T>) => Promise.race([promise, sleep(20_000, 'never', { ref: false })]);
      silence();
      await expect(within((await impatient.get('there.tar'))!.toArray())).rejects.toThrow(/timed out/);
      await expect(within(impatient.list(''))).rejects.toMatchObject(failing);
      await wire.stop();
      await wire.start();
      silence();
      await expect(within(impatient.put('half.tar', parts(3)))).rejects.toMatchObject(failing);
      await wire.stop();
      await wire.start();
      for (const key of ['half.tar', 'there.tar']) await impatient.remove(key);
      expect([await look.objects(), await look.uploads()]).toEqual([[], []]);
    });
  });
}
