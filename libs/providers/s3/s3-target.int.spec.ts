import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { S3StandIn } from '../../../test/support/s3-stand-in.js';
import { backupTargetContract } from '../contract/backup-target.contract.js';
import { S3Target, type S3Settings } from './s3-target.js';

const partBytes = 5 * 1024 * 1024;
const settingsOf = ({ endpoint, bucket, accessKey, secretKey }: S3StandIn): S3Settings => ({ endpoint, bucket, accessKey, secretKey, region: 'us-east-1', prefix: 'planes/one', partBytes });

async function startStorage(): Promise<S3StandIn> {
  const storage = new S3StandIn();
  await storage.start();
  return storage;
}

backupTargetContract('an S3 storage', async () => {
  const storage = await startStorage();
  const settings = settingsOf(storage);
  return {
    target: new S3Target(settings),
    away: new S3Target({ ...settings, endpoint: 'http://127.0.0.1:9' }),
    letLie: async (key) => void storage.uploads.set(randomUUID(), { key: `planes/one/${key}`, parts: new Map([[1, Buffer.alloc(9)]]) }),
    leftovers: async () => [...storage.objects.keys(), ...[...storage.uploads.values()].map(({ key }) => key)],
    close: () => storage.stop(),
  };
}, partBytes);

describe('an S3 storage', () => {
  let storage: S3StandIn;
  beforeAll(async () => void (storage = await startStorage()));
  afterAll(() => storage?.stop());
  const one = () => Readable.from([Buffer.from('x')]);

  it('says which bucket is missing and what is refused, for good, without the secret', async () => {
    const lost = await new S3Target({ ...settingsOf(storage), bucket: 'nowhere' }).put('a.tar', one()).catch((error: unknown) => error);
    expect(lost).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/bucket nowhere .*NoSuchBucket/) });
    const refused = await new S3Target({ ...settingsOf(storage), secretKey: 'another-secret' }).put('a.tar', one()).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/HTTP 403, SignatureDoesNotMatch/) });
    expect((refused as Error).message).not.toMatch(/another-secret|stand-in-secret/);
  });

  it('says that it went away half-way, may be tried again, and then keeps only the whole', async () => {
    const going = await startStorage();
    const target = new S3Target(settingsOf(going));
    const parts = () => Readable.from((function* () {
      for (let part = 0; part < 3; part++) yield Buffer.alloc(partBytes, part);
    })());
    going.onRequest = (what) => void (what.includes('partNumber=2') && going.stop());
    await expect(target.put('half.tar', parts())).rejects.toMatchObject({ name: 'ProviderError', retryable: true, message: expect.stringContaining(`at ${going.endpoint} could not store half.tar`) });
    expect([going.objects.size, going.uploads.size]).toEqual([0, 1]);
    going.onRequest = () => undefined;
    await going.start();
    await target.put('half.tar', parts());
    expect([[...going.objects.values()].map(({ length }) => length), going.uploads.size]).toEqual([[3 * partBytes], 0]);
    await going.stop();
  });
});
