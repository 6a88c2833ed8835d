import { deriveId } from '#contracts/ids.js';
import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import { reached } from '#contracts/probe.js';
import type { CertificateOf, CertificateState } from '#domain/certificate/certificate.js';
import { OF_PLANE } from '#domain/certificate/policy.js';
import { PLANE_KEYRING } from '#domain/naming/naming.js';
import { ProviderError } from '#providers/provider-error.js';
import type { Authorities, Choice } from './authorities.js';

/** A host's copy that is not as it should be. */
export interface CopyToBring {
  readonly of: CertificateOf;
  readonly certificate: IssuedCertificate;
}

/** What was found out is believed for so long. */
const LOOK_AGAIN_MS = 60_000;

/**
 * The certificate of the base domain and every name one label below it: the plane's own, of no project. It is proven in the plane's zone, and each host that has an edge
 * serves a copy of it.
 */
export class PlaneCertificate {
  readonly id: string;
  private readonly hosts = new Set<string>();
  private lookAgainAt = 0;

  constructor(
    readonly baseDomain: string,
    private readonly authorities: Authorities,
  ) {
    this.id = deriveId('plane-certificate', baseDomain);
  }

  get of(): CertificateOf {
    return { certificateId: this.id, siteId: '', projectId: PLANE_KEYRING, domain: this.baseDomain, names: [this.baseDomain, `*.${this.baseDomain}`], hostId: '' };
  }

  /** A host has an edge. */
  add(hostId: string): void {
    this.hosts.add(hostId);
  }

  /** Whether it is time to find out if one can be had. */
  mayBegin(): boolean {
    return this.hosts.size > 0 && Date.now() >= this.lookAgainAt;
  }

  /** Who is asked for it; undefined: it cannot be had as this plane is configured. */
  async possible(): Promise<Choice | undefined> {
    this.lookAgainAt = Date.now() + LOOK_AGAIN_MS;
    const { dns } = this.authorities;
    const authority = this.authorities.forWildcards;
    reached('certificate:zone');
    return dns && authority && (await dns.zoneOf(this.baseDomain)) !== undefined ? { authority, proof: 'dns-01' } : undefined;
  }

  async choose(): Promise<Choice> {
    const choice = await this.possible();
    if (choice) return choice;
    throw new ProviderError(`A certificate for *.${this.baseDomain} takes an ACME directory (HOSTPLANE_ACME_DIRECTORY) and a zone of ${this.baseDomain} that this plane may edit (HOSTPLANE_CLOUDFLARE_API_TOKEN): one of them is there no more.`, false);
  }

  /** Whether a certificate of the plane is this one, or a copy of what is there to be served. */
  isWanted(id: string, { hostId }: CertificateOf, own: CertificateState): boolean {
    return id === this.id || (id === this.copyId(hostId) && servable(own) !== undefined);
  }

  /** Copies that hosts lack, or have older ones of. */
  copiesToBring(own: CertificateState, stateOf: (id: string) => CertificateState): readonly CopyToBring[] {
    const certificate = servable(own);
    if (!certificate) return [];
    return [...this.hosts].flatMap((hostId) => {
      const copy = stateOf(this.copyId(hostId));
      const isGoing = copy.status === 'removing';
      const has = copy.status !== 'none' && copy.issued?.fingerprint === certificate.fingerprint;
      return isGoing || has ? [] : [{ of: { ...this.of, certificateId: this.copyId(hostId), hostId }, certificate }];
    });
  }

  private copyId(hostId: string): string {
    return deriveId(this.id, hostId);
  }
}

/** What may be served: nothing of what was revoked is left there. */
function servable(own: CertificateState): IssuedCertificate | undefined {
  return own.status === 'none' ? undefined : own.issued;
}

/** It belongs to no project, but to the plane or one of its hosts. */
export const isOfPlane = ({ projectId }: Pick<CertificateOf, 'projectId'>): boolean => projectId === PLANE_KEYRING;

/** The command that brings a copy. */
export const bringing = ({ of, certificate }: CopyToBring) => ({ type: 'UploadCertificate', of, certificate, authority: OF_PLANE }) as const;
