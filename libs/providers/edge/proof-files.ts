import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reached } from '#contracts/probe.js';
import type { EdgeProofs } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { writeWhole } from '../write-whole.js';

/** Where authorities ask, up to the token (RFC 8555, 8.3). */
export const PROOF_PATH = '/.well-known/acme-challenge/';
/** Of the base64url alphabet; no file of ours beside the proofs has such a name. */
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;
const ID = /^[A-Za-z0-9-]{1,64}$/;

/** Proofs as files, named by their token; and beside them, for each certificate, which tokens are its. */
export class ProofFiles implements EdgeProofs {
  constructor(readonly folder: string) {}

  async ensure(certificateId: string, texts: ReadonlyMap<string, string>): Promise<void> {
    if (!ID.test(certificateId)) throw new ProviderError(`${JSON.stringify(certificateId).slice(0, 80)} is not the id of a certificate.`, false);
    const bad = [...texts.keys()].find((token) => !TOKEN.test(token));
    if (bad !== undefined) throw new ProviderError(`The authority's token ${JSON.stringify(bad).slice(0, 80)} cannot be part of a path.`, false);
    await mkdir(this.folder, { recursive: true, mode: 0o755 });
    const index = join(this.folder, `${certificateId}.json`);
    const before = JSON.parse(await readFile(index, 'utf8').catch(() => '[]')) as string[];
    reached('edge:proofs-write');
    // The list is never shorter than what is there, so that none is forgotten.
    if (texts.size > 0) await writeWhole(index, JSON.stringify([...new Set([...before, ...texts.keys()])]));
    for (const [token, text] of texts) await writeWhole(join(this.folder, token), text);
    for (const token of before.filter((one) => TOKEN.test(one) && !texts.has(one))) await rm(join(this.folder, token), { force: true });
    if (texts.size === 0) await rm(index, { force: true });
    reached('edge:proofs-written');
  }

  /** What is to be answered for a path; undefined: it is no proof of ours. */
  async answer(path: string): Promise<string | undefined> {
    if (!path.startsWith(PROOF_PATH)) return undefined;
    const token = path.slice(PROOF_PATH.length).split('?')[0]!;
    return TOKEN.test(token) ? readFile(join(this.folder, token), 'utf8').catch(() => undefined) : undefined;
  }
}
