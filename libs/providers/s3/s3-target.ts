import { addAbortSignal, type Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand,
  ListMultipartUploadsCommand, paginateListObjectsV2, PutObjectCommand, S3Client, UploadPartCommand, type CompletedPart,
} from '@aws-sdk/client-s3';
import { reached } from '#contracts/probe.js';
import { BACKUP_KEY, type BackupTarget, type StoredBackup } from '../backup-target.js';
import { ProviderError } from '../provider-error.js';
import { inParts } from './in-parts.js';

export interface S3Settings {
  /** For example https://s3.eu-central-1.amazonaws.com; its buckets are asked for by path. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Put before each key, without a slash at its end; may be empty. */
  readonly prefix: string;
  /** What is larger comes in parts of this size, of which a storage takes 10,000. At least 5 MiB. */
  readonly partBytes?: number;
  /** A storage that sends and takes nothing for so long is away. */
  readonly silentMs?: number;
}

const PART_BYTES = 16 * 1024 * 1024;
const SILENT_MS = 120_000;
/** Called off or broken, an upload is taken back even so, but not for ever. */
const ABORT_MS = 15_000;

/** Backups as objects of a bucket of any storage that speaks S3, in parts as they come: an object is there when its last part is, and not before. */
export class S3Target implements BackupTarget {
  readonly name = 's3';
  private readonly client: S3Client;

  constructor(private readonly settings: S3Settings) {
    this.client = new S3Client({
      endpoint: settings.endpoint,
      region: settings.region,
      credentials: { accessKeyId: settings.accessKey, secretAccessKey: settings.secretKey },
      forcePathStyle: true,
      maxAttempts: 3,
      // Many storages know none of the newer checksums; the backup's own sha256 is over all of it.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // Not its requestTimeout: that one only warns, and does not look at an answer's body.
      requestHandler: { connectionTimeout: 5_000, socketTimeout: settings.silentMs ?? SILENT_MS },
    });
  }

  async put(key: string, stream: Readable, signal?: AbortSignal): Promise<void> {
    const Key = this.objectOf(key);
    if (signal) addAbortSignal(signal, stream);
    await this.worldly(`store ${key}`, async () => {
      await this.abortUnfinished(Key, signal);
      const parts = inParts(stream, this.settings.partBytes ?? PART_BYTES);
      const first = await parts.next();
      const head = first.value ?? Buffer.alloc(0);
      const second = await parts.next();
      const sizeBytes = second.done ? await this.putWhole(Key, head, signal) : await this.putParts(Key, [head, second.value], parts, signal);
      const stored = await this.client.send(new HeadObjectCommand({ ...this.bucket, Key }), options(signal));
      if (stored.ContentLength !== sizeBytes) throw new ProviderError(`The backup storage holds ${stored.ContentLength} of the ${sizeBytes} bytes of ${key}.`, true);
    }).finally(() => stream.destroy());
  }

  async get(key: string, signal?: AbortSignal): Promise<Readable | undefined> {
    const Key = this.objectOf(key);
    return this.worldly(`fetch ${key}`, async () => {
      const found = await this.client.send(new GetObjectCommand({ ...this.bucket, Key }), options(signal)).catch(missing);
      return found?.Body as Readable | undefined;
    });
  }

  async list(prefix: string, signal?: AbortSignal): Promise<readonly StoredBackup[]> {
    return this.worldly(`list ${prefix}`, async () => {
      const found: StoredBackup[] = [];
      const own = this.prefixed('');
      for await (const page of paginateListObjectsV2({ client: this.client }, { ...this.bucket, Prefix: this.prefixed(prefix) }, options(signal))) {
        for (const { Key = '', Size = 0 } of page.Contents ?? []) found.push({ key: Key.slice(own.length), sizeBytes: Size });
      }
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    });
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    const Key = this.objectOf(key);
    await this.worldly(`remove ${key}`, async () => {
      await this.abortUnfinished(Key, signal);
      await this.client.send(new DeleteObjectCommand({ ...this.bucket, Key }), options(signal)).catch(missing);
    });
  }

  private async putWhole(Key: string, Body: Buffer, signal?: AbortSignal): Promise<number> {
    await this.client.send(new PutObjectCommand({ ...this.bucket, Key, Body, ContentType: 'application/x-tar' }), options(signal));
    return Body.length;
  }

  private async putParts(Key: string, begun: readonly Buffer[], rest: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<number> {
    const { UploadId } = await this.client.send(new CreateMultipartUploadCommand({ ...this.bucket, Key, ContentType: 'application/x-tar' }), options(signal));
    const Parts: CompletedPart[] = [];
    let sizeBytes = 0;
    const send = async (Body: Buffer): Promise<void> => {
      const PartNumber = Parts.length + 1;
      reached('s3:part');
      const { ETag } = await this.client.send(new UploadPartCommand({ ...this.bucket, Key, UploadId, PartNumber, Body }), options(signal));
      Parts.push({ ETag, PartNumber });
      sizeBytes += Body.length;
    };
    try {
      for (const part of begun) await send(part);
      for await (const part of rest) await send(part);
      reached('s3:complete');
      await this.client.send(new CompleteMultipartUploadCommand({ ...this.bucket, Key, UploadId, MultipartUpload: { Parts } }), options(signal));
      return sizeBytes;
    } catch (error) {
      await this.client.send(new AbortMultipartUploadCommand({ ...this.bucket, Key, UploadId }), options(AbortSignal.timeout(ABORT_MS))).catch(() => undefined);
      throw error;
    }
  }

  /** What a process that was killed left half-way takes room, and is billed. */
  private async abortUnfinished(Key: string, signal?: AbortSignal): Promise<void> {
    const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ ...this.bucket, Prefix: Key }), options(signal));
    for (const { Key: key, UploadId } of Uploads.filter((upload) => upload.Key === Key)) {
      await this.client.send(new AbortMultipartUploadCommand({ ...this.bucket, Key: key, UploadId }), options(signal)).catch(missing);
    }
  }

  private get bucket(): { Bucket: string } {
    return { Bucket: this.settings.bucket };
  }

  private prefixed(key: string): string {
    return this.settings.prefix === '' ? key : `${this.settings.prefix}/${key}`;
  }

  private objectOf(key: string): string {
    if (!BACKUP_KEY.test(key)) throw new ProviderError(`"${key.slice(0, 80)}" cannot be the key of a backup.`, false);
    return this.prefixed(key);
  }

  private async worldly<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asProviderError(error as S3Fault, what, this.settings);
    }
  }
}

interface S3Fault extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly code?: string;
}

const options = (abortSignal: AbortSignal | undefined): { abortSignal?: AbortSignal } => (abortSignal ? { abortSignal } : {});

function missing(error: S3Fault): undefined {
  if (!['NoSuchKey', 'NotFound', 'NoSuchUpload'].includes(error.name)) throw error;
}

/** An upload that is gone, and what came too slowly, can be begun anew. */
const MAY_PASS = ['NoSuchUpload', 'RequestTimeout'];

/** What the storage refuses, has elsewhere or cannot do is final; a storage that does not answer, is slow or fails by itself may come back. */
function asProviderError(error: S3Fault, what: string, { endpoint, bucket }: S3Settings): Error {
  if (error instanceof ProviderError) return error;
  const status = error.$metadata?.httpStatusCode;
  const code = ['Error', 'Unknown'].includes(error.name) ? '' : error.name;
  // The client tells its own programmers which part of it says so, and from the second line on what to look at.
  const message = error.message === 'UnknownError' ? '' : (error.message || error.code || '').split('\n', 1)[0]?.replace(/^@smithy\S+ - /, '');
  const says = [status && `HTTP ${status}`, [code, message].filter(Boolean).join(': ')].filter(Boolean).join(', ');
  if (status !== undefined && isFinal(status) && !MAY_PASS.includes(error.name)) {
    return new ProviderError(`The backup storage at ${endpoint} refused to ${what} in the bucket ${bucket} (${says}).`, false, { cause: error });
  }
  return new ProviderError(`The backup storage at ${endpoint} could not ${what} in the bucket ${bucket} (${says}).`, true, { cause: error });
}

const isFinal = (status: number): boolean => (status >= 300 && status < 500 && ![307, 408, 429].includes(status)) || status === 501;
