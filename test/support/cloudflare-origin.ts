import { randomBytes, webcrypto } from 'node:crypto';
import { BasicConstraintsExtension, Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator, type X509Certificate } from '@peculiar/x509';
import { failure } from './cloudflare-spec.js';
import type { Answered, Operation } from './described-api.js';

interface OriginRow {
  readonly id: string;
  readonly zoneId: string;
  readonly certificate: string;
  readonly csr: string;
  readonly hostnames: readonly string[];
  readonly expires_on: string;
  readonly request_type: string;
  readonly requested_validity: number;
  isRevoked: boolean;
}

interface Wish {
  readonly csr?: string;
  readonly hostnames?: readonly string[];
  readonly request_type?: string;
  readonly requested_validity?: number;
}

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Cloudflare's authority for origin certificates: it issues for names of the account's zones, without a proof, and knows a certificate by its serial number in decimal. */
export class CloudflareOrigin {
  readonly certificates: OriginRow[] = [];
  private readonly authority = rootOf();

  constructor(private readonly zoneOf: (name: string) => string | undefined) {}

  /** PEM of what Cloudflare's proxy trusts, and nobody else. */
  async root(): Promise<string> {
    return (await this.authority).certificate.toString('pem');
  }

  live(): OriginRow[] {
    return this.certificates.filter(({ isRevoked }) => !isRevoked);
  }

  operations(): Record<string, Operation> {
    return {
      'origin-ca-list-certificates': ({ query }) => {
        const all = this.live().filter(({ zoneId }) => zoneId === query['zone_id']);
        const [number, perPage] = [Number(query['page'] ?? 1), Number(query['per_page'] ?? 20)];
        return ok(all.slice((number - 1) * perPage, number * perPage).map(shown));
      },
      'origin-ca-create-certificate': ({ body }) => this.create(body as Wish),
      'origin-ca-get-certificate': ({ params }) => {
        const there = this.certificates.find(({ id }) => id === params['certificate_id']);
        return there ? ok(shown(there)) : failure(404, 1_101, 'The certificate does not exist.');
      },
      'origin-ca-revoke-certificate': ({ params }) => {
        const there = this.live().find(({ id }) => id === params['certificate_id']);
        if (!there) return failure(404, 1_101, 'The certificate does not exist.');
        there.isRevoked = true;
        return ok({ id: there.id });
      },
    };
  }

  private async create({ csr = '', hostnames = [], request_type: kind = '', requested_validity: days = 5_475 }: Wish): Promise<Answered> {
    const request = read(csr);
    if (!request || !(await request.verify(webcrypto as never))) return failure(400, 1_001, 'Failed to parse the certificate signing request.');
    if (kind !== 'origin-ecc') return failure(400, 1_004, 'The request type does not fit the key of the request.');
    const zones = hostnames.map((name) => this.zoneOf(name.replace(/^\*\./, '')));
    const foreign = hostnames.find((_, i) => zones[i] === undefined);
    if (foreign || zones.length === 0) return failure(400, 1_010, `Failed to validate requested hostname ${foreign ?? ''}: This zone is either not part of your account, or you do not have access to it.`);
    const serial = randomBytes(12);
    serial[0]! &= 0x3f;
    serial[0]! |= 0x10;
    const certificate = await this.sign(request, hostnames, serial.toString('hex'), days);
    const row: OriginRow = {
      id: BigInt(`0x${serial.toString('hex')}`).toString(), zoneId: zones[0]!, certificate: certificate.toString('pem'), csr, hostnames, expires_on: certificate.notAfter.toISOString(), request_type: kind, requested_validity: days, isRevoked: false,
    };
    this.certificates.push(row);
    return ok(shown(row));
  }

  private async sign(request: Pkcs10CertificateRequest, hostnames: readonly string[], serialNumber: string, days: number): Promise<X509Certificate> {
    const { certificate, keys } = await this.authority;
    const names = new SubjectAlternativeNameExtension(hostnames.map((value) => ({ type: 'dns', value })));
    return X509CertificateGenerator.create({
      serialNumber, subject: 'CN=CloudFlare Origin Certificate', issuer: certificate.subject, notBefore: new Date(Date.now() - 300_000), notAfter: new Date(Date.now() + days * DAY_MS),
      publicKey: request.publicKey, signingKey: keys.privateKey, signingAlgorithm: ALGORITHM, extensions: [names],
    }, webcrypto as never);
  }
}

async function rootOf(): Promise<{ certificate: X509Certificate; keys: webcrypto.CryptoKeyPair }> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01', name: 'CN=Origin CA of the stand-in', notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 5_500 * DAY_MS), keys, signingAlgorithm: ALGORITHM, extensions: [new BasicConstraintsExtension(true, undefined, true)],
  }, webcrypto as never);
  return { certificate, keys };
}

function read(csr: string): Pkcs10CertificateRequest | undefined {
  try {
    return new Pkcs10CertificateRequest(csr);
  } catch {
    return undefined;
  }
}

const ok = (result: unknown): Answered => ({ status: 200, body: { success: true, errors: [], messages: [], result } });
const shown = ({ id, certificate, csr, hostnames, expires_on, request_type, requested_validity }: OriginRow): object => ({ id, certificate, csr, hostnames, expires_on, request_type, requested_validity });
