import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Upload {
  readonly key: string;
  readonly parts: Map<number, Buffer>;
}

interface Reply {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** As on AWS: each part but the last has at least so many bytes. */
const LEAST_PART = 5 * 1024 * 1024;
/** Small, so that a list of a few is in several pages. */
const PAGE = 2;

/**
 * A storage that speaks the part of S3 that backups use, after its API reference: signatures (version 4) and hashes of bodies are checked, parts have
 * their least size and their ETag, lists come in pages. In memory; one bucket.
 */
export class S3StandIn {
  readonly accessKey = 'stand-in-access';
  readonly secretKey = 'stand-in-secret';
  readonly bucket = 'backups';
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Upload>();
  /** Called before each request is answered; a test breaks things here. */
  onRequest: (what: string) => void = () => undefined;
  private server: Server | undefined;
  private port = 0;

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const send = ({ status, body = '', headers = {} }: Reply) => response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(request.method === 'HEAD' ? undefined : body);
      // Whose connection breaks within a request gets no answer.
      void this.answer(request).then(send, () => request.destroy());
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Cuts every connection and listens no more; what is stored stays. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  private async answer(request: IncomingMessage): Promise<Reply> {
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    const url = new URL(request.url ?? '/', 'http://s3');
    const [, bucket = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    this.onRequest(`${request.method} ${key}${url.search}`);
    const refusal = this.refuse(request, url, body);
    if (refusal) return fault(403, refusal);
    if (bucket !== this.bucket) return fault(404, 'NoSuchBucket');
    return key === '' ? this.ofBucket(url) : this.ofKey(request.method ?? '', key, url.searchParams, body);
  }

  private ofBucket(url: URL): Reply {
    const query = url.searchParams;
    const prefix = query.get('prefix') ?? '';
    if (query.has('uploads')) {
      const found = [...this.uploads].filter(([, { key }]) => key.startsWith(prefix)).map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
      return xml(`<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${found.join('')}</ListMultipartUploadsResult>`);
    }
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, PAGE);
    const more = keys.length > PAGE ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    const contents = page.map((key) => `<Contents><Key>${key}</Key><Size>${this.objects.get(key)!.length}</Size></Contents>`).join('');
    return xml(`<ListBucketResult><IsTruncated>${more !== ''}</IsTruncated>${more}${contents}</ListBucketResult>`);
  }

  private ofKey(method: string, key: string, query: URLSearchParams, body: Buffer): Reply {
    const id = query.get('uploadId');
    if (id !== null) return this.ofUpload(method, key, id, query, body);
    if (method === 'POST' && query.has('uploads')) {
      const uploadId = randomUUID();
      this.uploads.set(uploadId, { key, parts: new Map() });
      return xml(`<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (method === 'PUT') {
      this.objects.set(key, body);
      return { status: 200, headers: { etag: etag(body) } };
    }
    if (method === 'DELETE') {
      this.objects.delete(key);
      return { status: 204 };
    }
    const found = this.objects.get(key);
    return found ? { status: 200, body: found, headers: { etag: etag(found) } } : fault(404, 'NoSuchKey');
  }

  private ofUpload(method: string, key: string, id: string, query: URLSearchParams, body: Buffer): Reply {
    const upload = this.uploads.get(id);
    if (upload?.key !== key) return fault(404, 'NoSuchUpload');
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etag(body) } };
    }
    const named = [...body.toString('utf8').matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)<\/ETag>/.exec(part)?.[1]?.replaceAll('&quot;', '"'),
    }));
    const parts = named.map(({ number }) => upload.parts.get(number));
    if (named.some((part, i) => part.number !== i + 1 || !parts[i] || part.etag !== etag(parts[i]))) return fault(400, 'InvalidPart');
    if (parts.slice(0, -1).some((part) => part!.length < LEAST_PART)) return fault(400, 'EntityTooSmall');
    this.objects.set(key, Buffer.concat(parts as Buffer[]));
    this.uploads.delete(id);
    return xml('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
  }

  /** The code of what is wrong with a request's signature. */
  private refuse(request: IncomingMessage, url: URL, body: Buffer): string | undefined {
    const said = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? '');
    if (!said) return 'AccessDenied';
    const [, accessKey, day = '', region = '', signed = '', signature] = said;
    const header = (name: string) => String(request.headers[name] ?? '').trim();
    if (accessKey !== this.accessKey) return 'InvalidAccessKeyId';
    const claimed = header('x-amz-content-sha256');
    if (claimed !== 'UNSIGNED-PAYLOAD' && claimed !== sha256(body)) return 'XAmzContentSHA256Mismatch';
    const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort().join('&');
    const headers = signed.split(';').map((name) => `${name}:${header(name)}\n`).join('');
    const canonical = [request.method, url.pathname, query, headers, signed, claimed].join('\n');
    const scope = `${day}/${region}/s3/aws4_request`;
    const key = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>((made, part) => hmac(made, part), `AWS4${this.secretKey}`);
    const expected = hmac(key, ['AWS4-HMAC-SHA256', header('x-amz-date'), scope, sha256(canonical)].join('\n')).toString('hex');
    return expected === signature ? undefined : 'SignatureDoesNotMatch';
  }
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer | string, data: string): Buffer => createHmac('sha256', key).update(data).digest();
const etag = (data: Buffer): string => `"${createHash('md5').update(data).digest('hex')}"`;
const encoded = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const xml = (body: string, status = 200): Reply => ({ status, body: `<?xml version="1.0" encoding="UTF-8"?>${body}`, headers: { 'content-type': 'application/xml' } });
const fault = (status: number, code: string): Reply => xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`, status);
