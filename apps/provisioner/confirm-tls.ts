import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { fingerprintOf } from '#providers/certificate-chain.js';
import { ProviderError } from '#providers/provider-error.js';
import type { EdgeDoor } from './visit.js';

const TRY_MS = 5_000;
const LONGEST_PROOF = 4_096;

/** Asks the edge for a proof as an authority will, until it is there. */
export async function confirmProof(door: EdgeDoor, { name, token, text }: CertificateProof, signal?: AbortSignal): Promise<void> {
  await until(door, signal, async () => {
    const found = await proofAt(door, name, token).catch((error: Error) => error.message);
    return found === text ? undefined : `The edge does not answer the proof for ${name}: it says "${found.slice(0, 100)}".`;
  });
}

/** Shakes hands with the edge for a hostname, until it is with the certificate of this fingerprint, or that is not wanted any more. */
export async function confirmCertificate(door: EdgeDoor, hostname: string, fingerprint: string, isWanted: () => boolean, signal?: AbortSignal): Promise<void> {
  await until(door, signal, async () => {
    mustBeWanted(isWanted, hostname);
    const found = await servedFor(door, hostname.replace('*', 'any')).catch((error: Error) => error.message);
    return found === fingerprint ? undefined : `The edge does not serve the certificate of ${hostname}: it has ${found}, and ${fingerprint} is wanted.`;
  });
}

/** What is answered too late is nobody's last word, and waited for by nobody. */
export function mustBeWanted(isWanted: () => boolean, hostname: string): void {
  if (!isWanted()) throw new ProviderError(`The certificate of ${hostname} is not brought any more: another one is to be served, or none.`, false);
}

/** Tries until nothing is wrong any more; fails with what is. */
async function until(door: EdgeDoor, signal: AbortSignal | undefined, wrong: () => Promise<string | undefined>): Promise<void> {
  const deadline = Date.now() + door.withinMs;
  for (let wait = 20; ; wait = Math.min(wait * 2, 1_000)) {
    const problem = await wrong();
    if (problem === undefined) return;
    if (signal?.aborted || Date.now() + wait > deadline) throw new ProviderError(problem, true);
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}

function proofAt(door: EdgeDoor, host: string, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => door.connect(), path: `/.well-known/acme-challenge/${token}`, headers: { host }, timeout: TRY_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > LONGEST_PROOF) response.destroy(new Error('a page'));
      });
      response.on('end', () => resolve(response.statusCode === 200 ? text : `${response.statusCode}`)).on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer'))).on('error', reject).end();
  });
}

function servedFor(door: EdgeDoor, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const plain = door.connect(true).on('error', reject);
    const socket = connect({ socket: plain, servername, rejectUnauthorized: false }, () => {
      resolve(fingerprintOf(new X509Certificate(socket.getPeerCertificate().raw)));
      socket.end();
    });
    plain.setTimeout(TRY_MS, () => plain.destroy(new Error('no answer')));
    socket.on('error', reject);
  });
}
