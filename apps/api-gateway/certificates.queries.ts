import type { Pool } from 'pg';
import type { Certificate, EdgeCertificate } from '#api/certificate.js';
import { pageFrom } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import { PLANE_KEYRING } from '#domain/naming/naming.js';
import type { Asker } from './access.js';
import type { CertificateRow } from './certificates.projection.js';
import { PageQuery } from './page-query.js';

export interface CertificateQuery {
  readonly siteId?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Certificates as the members of their projects see them. */
export class CertificateQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** The certificate of a claim on a domain, which the asker has been found to see. */
  async ofClaim(claimId: string, domain: string): Promise<Certificate> {
    const { rows } = await this.db.query<CertificateRow>({ name: 'certificate', text: `SELECT * FROM ${this.schema}.certificates WHERE id = $1`, values: [claimId] });
    if (!rows[0]) throw new ProblemError('not-found', `The domain "${domain}" has no certificate.`);
    return show(rows[0]);
  }

  /** The plane's own for its base domain, with the hosts that serve it; for who runs the plane. */
  async ofPlane(baseDomain: string): Promise<EdgeCertificate> {
    const text = `SELECT * FROM ${this.schema}.certificates WHERE project_id = $1 AND domain = $2 AND status <> 'removed' ORDER BY host_id`;
    const { rows } = await this.db.query<CertificateRow>({ name: 'certificates-of-plane', text, values: [PLANE_KEYRING, baseDomain] });
    const own = rows.find(({ host_id }) => host_id === '');
    if (!own) throw new ProblemError('not-found', `The plane has no certificate for *.${baseDomain}. It gets one with an ACME directory (HOSTPLANE_ACME_DIRECTORY) and a zone of ${baseDomain} that it may edit (HOSTPLANE_CLOUDFLARE_API_TOKEN).`);
    const hosts = rows.filter(({ host_id }) => host_id !== '').map((row) => hostOf(row, own));
    const { siteId: _, ...shown } = show(own);
    return { ...shown, status: shown.status === 'deployed' && hosts.some(({ status }) => status !== 'deployed') ? 'issued' : shown.status, hosts };
  }

  /** Newest first: of the projects that the asker may see, of one site which they have been found to see, or everybody's. */
  async page(asker: Asker | undefined, { siteId, status, limit, cursor }: CertificateQuery): Promise<{ items: Certificate[]; nextCursor?: string }> {
    const statement = new PageQuery()
      .always("t.status <> 'removed' AND t.site_id <> ''")
      .add('t.site_id = ?', siteId)
      .add('t.status = ?', status)
      .after(cursor)
      .statement({ schema: this.schema, table: 'certificates', asker: siteId === undefined ? asker : undefined, limit, columns: 't.*', joins: '' });
    const { rows } = await this.db.query<CertificateRow>(statement);
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }
}

function show(row: CertificateRow): Certificate {
  return {
    domain: row.domain,
    siteId: row.site_id,
    names: JSON.parse(row.names) as string[],
    ...summaryOf(row),
    ...(row.serial ? { serial: row.serial } : {}),
    ...(row.fingerprint ? { fingerprint: row.fingerprint } : {}),
    ...(row.not_before ? { notBefore: row.not_before } : {}),
    ...(row.renew_at ? { renewAt: row.renew_at } : {}),
    ...(row.proof ? { proof: JSON.parse(row.proof) as NonNullable<Certificate['proof']> } : {}),
    ...(row.failed_step ? { failedStep: row.failed_step } : {}),
    ...(row.next_try_at ? { nextTryAt: row.next_try_at } : {}),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Until a host has confirmed the newest one, it is not deployed there. */
function hostOf(row: CertificateRow, { fingerprint }: CertificateRow): EdgeCertificate['hosts'][number] {
  const status = row.status === 'deployed' && row.fingerprint !== fingerprint ? 'issued' : (row.status as Certificate['status']);
  return { hostId: row.host_id, status, ...(row.last_error ? { lastError: row.last_error } : {}), ...(row.next_try_at ? { nextTryAt: row.next_try_at } : {}) };
}

/** What a domain shows of its certificate. */
export function summaryOf(row: Pick<CertificateRow, 'status' | 'authority' | 'issuer' | 'not_after' | 'expires_in_days' | 'last_error'>): Pick<Certificate, 'status' | 'authority' | 'issuer' | 'notAfter' | 'expiresInDays' | 'lastError'> {
  return {
    status: row.status as Certificate['status'],
    authority: row.authority,
    ...(row.issuer ? { issuer: row.issuer } : {}),
    ...(row.not_after ? { notAfter: row.not_after } : {}),
    ...(row.expires_in_days === null ? {} : { expiresInDays: row.expires_in_days }),
    ...(row.last_error ? { lastError: row.last_error } : {}),
  };
}
