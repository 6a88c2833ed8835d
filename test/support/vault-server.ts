import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A status and the `errors` of its body. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly errors: readonly string[],
  ) {
    super(errors.join());
  }
}

const NONCE = 12;
const TAG = 16;

/** HashiCorp Vault's transit engine as its API documentation describes it: keys with versions, encrypt, decrypt, rewrap, rotate, and the errors of a server that is sealed or refuses. */
export class VaultServer {
  readonly token = `hvs.${randomBytes(18).toString('base64url')}`;
  readonly requests: { readonly method: string; readonly path: string; readonly namespace: string | undefined }[] = [];
  /** What every request is answered with from now on. */
  failure: { readonly status: number; readonly errors: readonly string[] } | undefined;
  readonly namespace: string | undefined;
  private readonly keys = new Map<string, Buffer[]>();
  private readonly server: Server;

  constructor(options: { namespace?: string } = {}) {
    this.namespace = options.namespace;
    this.server = createServer((request, response) => {
      void this.answer(request).then(
        (data) => response.writeHead(data === undefined ? 204 : 200, { 'content-type': 'application/json' }).end(data && JSON.stringify({ request_id: randomUUID(), lease_id: '', renewable: false, lease_duration: 0, data, wrap_info: null, warnings: null, auth: null })),
        (error: unknown) => {
          const { status, errors } = error instanceof Refused ? error : { status: 500, errors: [String(error)] };
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
        },
      );
    });
  }

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  addKey(name: string): void {
    this.keys.set(name, [randomBytes(32)]);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage): Promise<object | undefined> {
    const { method = '', url = '', headers } = request;
    const body = JSON.parse((await text(request)) || '{}') as Record<string, string>;
    this.requests.push({ method, path: url, namespace: headers['x-vault-namespace'] as string | undefined });
    if (this.failure) throw new Refused(this.failure.status, this.failure.errors);
    if (headers['x-vault-token'] !== this.token) throw new Refused(403, ['permission denied']);
    const [, verb, name = '', rest] = /^\/v1\/transit\/(keys|encrypt|decrypt|rewrap)\/([\w-]+)(\/rotate)?$/.exec(url) ?? [];
    if (!verb || headers['x-vault-namespace'] !== this.namespace) throw new Refused(404, []);
    const versions = this.keys.get(name);
    if (verb === 'keys' && method === 'GET' && !rest) {
      if (!versions) throw new Refused(404, []);
      return describe(name, versions);
    }
    if (method !== 'POST' && method !== 'PUT') throw new Refused(405, ['unsupported operation']);
    if (!versions) throw new Refused(400, ['encryption key not found']);
    if (verb === 'keys') {
      versions.push(randomBytes(32));
      return describe(name, versions);
    }
    if (verb === 'encrypt') return { ciphertext: encrypt(versions, fromBase64(body['plaintext'])), key_version: versions.length };
    const plain = decrypt(versions, body['ciphertext'] ?? '');
    return verb === 'decrypt' ? { plaintext: plain.toString('base64') } : { ciphertext: encrypt(versions, plain), key_version: versions.length };
  }
}

function describe(name: string, versions: readonly Buffer[]): object {
  return {
    type: 'aes256-gcm96', deletion_allowed: false, derived: false, exportable: false, allow_plaintext_backup: false, imported_key: false,
    keys: Object.fromEntries(versions.map((_, n) => [String(n + 1), 1_442_851_412 + n])), latest_version: versions.length, min_available_version: 0, min_decryption_version: 1, min_encryption_version: 0,
    name, supports_encryption: true, supports_decryption: true, supports_derivation: true, supports_signing: false,
  };
}

function fromBase64(said: string | undefined): Buffer {
  if (said === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(said)) throw new Refused(400, ['failed to base64-decode plaintext']);
  return Buffer.from(said, 'base64');
}

function encrypt(versions: readonly Buffer[], plain: Buffer): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1)!, nonce);
  return `vault:v${versions.length}:${Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64')}`;
}

function decrypt(versions: readonly Buffer[], ciphertext: string): Buffer {
  const [, version, sealed] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
  if (!version || !sealed) throw new Refused(400, ['invalid ciphertext: no prefix']);
  const key = versions[Number(version) - 1];
  if (!key) throw new Refused(400, ['invalid ciphertext: version is too new']);
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE)).setAuthTag(bytes.subarray(-TAG));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]);
  } catch {
    throw new Refused(400, ['cipher: message authentication failed']);
  }
}
