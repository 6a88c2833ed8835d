import type { Pool } from 'pg';
import type { Certificate } from '#api/certificate.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
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

  /** Newest first: of the projects that the asker may see, of one site which they have been found to see, or everybody's. */
  async page(asker: Asker | undefined, { siteId, status, limit, cursor }: CertificateQuery): Promise<{ items: Certificate[]; nextCursor?: string }> {
    const statement = new PageQuery()
      .always("t.status <> 'removed'")
      .add('t.site_id = ?', siteId)
      .add('t.status = ?', status)
      .add('t.created_position < ?', cursor === undefined ? undefined : readCursor(cursor))
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
