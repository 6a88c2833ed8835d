import { randomUUID } from 'node:crypto';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, DeleteObjectCommand, ListMultipartUploadsCommand, paginateListObjectsV2, PutObjectCommand, S3Client, UploadPartCommand, type MultipartUpload } from '@aws-sdk/client-s3';

/** Where a storage that speaks S3 is, and who may store there. */
export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

const NAMES = { endpoint: 'HOSTPLANE_TEST_S3_ENDPOINT', bucket: 'HOSTPLANE_TEST_S3_BUCKET', accessKey: 'HOSTPLANE_TEST_S3_ACCESS_KEY', secretKey: 'HOSTPLANE_TEST_S3_SECRET_KEY' } as const;

/** The real storage that the environment names; otherwise what of it is not set. */
export function realStorage(env: NodeJS.ProcessEnv = process.env): S3Access | string {
  const unset = Object.values(NAMES).filter((name) => !env[name]);
  if (unset.length > 0) return unset.join(', ');
  const of = (name: keyof typeof NAMES) => env[NAMES[name]]!;
  return { endpoint: of('endpoint'), region: env['HOSTPLANE_TEST_S3_REGION'] ?? 'us-east-1', bucket: of('bucket'), accessKey: of('accessKey'), secretKey: of('secretKey') };
}

/** A look at what a bucket has under a prefix of its own, and a hand in it, beside the code that is tested. */
export class S3Look {
  private readonly client: S3Client;
  private readonly bucket: { readonly Bucket: string };

  constructor({ endpoint, region, bucket, accessKey, secretKey }: S3Access, readonly prefix = `tests/${randomUUID()}`) {
    this.bucket = { Bucket: bucket };
    const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
    this.client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' });
  }

  /** Begins an upload and lets it lie. */
  async letLie(key: string): Promise<void> {
    const at = { ...this.bucket, Key: `${this.prefix}/${key}` };
    const { UploadId } = await this.client.send(new CreateMultipartUploadCommand(at));
    await this.client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: Buffer.alloc(9) }));
  }

  async objects(): Promise<{ key: string; sizeBytes: number }[]> {
    const found = [];
    for await (const page of paginateListObjectsV2({ client: this.client }, { ...this.bucket, Prefix: `${this.prefix}/` })) found.push(...(page.Contents ?? []));
    return found.map(({ Key = '', Size = 0 }) => ({ key: Key, sizeBytes: Size }));
  }

  async uploads(): Promise<string[]> {
    return (await this.unfinished()).map(({ Key = '' }) => Key);
  }

  /** Stores small objects. */
  async fill(keys: readonly string[]): Promise<void> {
    await each(keys, (key) => this.client.send(new PutObjectCommand({ ...this.bucket, Key: `${this.prefix}/${key}`, Body: key })));
  }

  /** Takes all of it away. */
  async clear(): Promise<void> {
    await each(await this.objects(), ({ key }) => this.client.send(new DeleteObjectCommand({ ...this.bucket, Key: key })));
    await each(await this.unfinished(), ({ Key, UploadId }) => this.client.send(new AbortMultipartUploadCommand({ ...this.bucket, Key, UploadId })));
  }

  private async unfinished(): Promise<MultipartUpload[]> {
    return (await this.client.send(new ListMultipartUploadsCommand({ ...this.bucket, Prefix: `${this.prefix}/` }))).Uploads ?? [];
  }
}

/** Some at once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = items.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const item of waiting) await work(item);
  }));
}
