import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reached } from '#contracts/probe.js';
import { belongs, fingerprintOf } from '../certificate-chain.js';
import type { EdgeCertificates, ServerCertificate } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { syncFolder, writeDurable } from '../write-whole.js';

/** Who has to read the files beside root; undefined: whoever runs this process. */
export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

const ENDING = '.pem';
const ID = /^[A-Za-z0-9-]{1,64}$/;

/** Certificates as files \`<id>.pem\`, key first: one file each, so that no handshake finds a certificate and the key of another one. */
export class CertificateFiles implements EdgeCertificates {
  /** What was found in each file, for as long as nobody touches it. */
  private readonly known = new Map<string, { readonly stamp: string; readonly fingerprint: string | undefined }>();
  private writes = 0;

  constructor(
    readonly folder: string,
    private readonly reader: () => Promise<Reader | undefined>,
  ) {}

  async put(certificateId: string, { chain, key }: ServerCertificate): Promise<void> {
    const file = this.fileOf(certificateId);
    const reader = await this.reader();
    await mkdir(this.folder, { recursive: true, mode: 0o711 });
    // Two may bring the same one at once.
    const staged = `${file}.${process.pid}.${++this.writes}.new`;
    reached('edge:certificate-write');
    await writeDurable(staged, `${key.trim()}\n${chain.trim()}\n`, 0o600);
    if (reader) await chown(staged, reader.uid, reader.gid);
    await rename(staged, file);
    await syncFolder(this.folder);
    reached('edge:certificate-written');
  }

  async remove(certificateId: string): Promise<void> {
    const file = this.fileOf(certificateId);
    const names = (await this.names()).filter((name) => join(this.folder, name) === file || join(this.folder, name).startsWith(`${file}.`));
    for (const name of names) await rm(join(this.folder, name), { force: true });
    if (names.length > 0) await syncFolder(this.folder);
    reached('edge:certificate-removed');
  }

  async held(): Promise<ReadonlyMap<string, string>> {
    const ids = (await this.names()).filter((name) => name.endsWith(ENDING)).map((name) => name.slice(0, -ENDING.length));
    for (const id of this.known.keys()) if (!ids.includes(id)) this.known.delete(id);
    const found = await Promise.all(ids.map(async (id) => [id, await this.fingerprint(id)] as const));
    return new Map(found.flatMap(([id, fingerprint]) => (fingerprint === undefined ? [] : [[id, fingerprint]])));
  }

  /** The whole file: key and chain. */
  read(certificateId: string): Promise<string> {
    return readFile(this.fileOf(certificateId), 'utf8');
  }

  private async fingerprint(certificateId: string): Promise<string | undefined> {
    try {
      const { ino, mtimeMs, ctimeMs, size } = await stat(this.fileOf(certificateId));
      const stamp = `${ino} ${mtimeMs} ${ctimeMs} ${size}`;
      const before = this.known.get(certificateId);
      if (before?.stamp === stamp) return before.fingerprint;
      const fingerprint = fingerprintIn(await this.read(certificateId));
      this.known.set(certificateId, { stamp, fingerprint });
      return fingerprint;
    } catch {
      return undefined;
    }
  }

  private names(): Promise<string[]> {
    return readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  }

  /** Ids come from the bus: none may lead out of the folder. */
  private fileOf(certificateId: string): string {
    if (!ID.test(certificateId)) throw new ProviderError(`${JSON.stringify(certificateId).slice(0, 80)} is not the id of a certificate.`, false);
    return join(this.folder, `${certificateId}${ENDING}`);
  }
}

/** Of a certificate that has its key before it; undefined: a handshake with it would fail. */
function fingerprintIn(text: string): string | undefined {
  try {
    const certificate = new X509Certificate(text.slice(text.indexOf('-----BEGIN CERTIFICATE-----')));
    return belongs(certificate, createPrivateKey(text)) ? fingerprintOf(certificate) : undefined;
  } catch {
    return undefined;
  }
}
