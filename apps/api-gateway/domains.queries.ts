import { domainToASCII } from 'node:url';
import type { Pool } from 'pg';
import type { Domain } from '#api/domain.js';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import { mustMay, roleJoin, seen, sightOf, type Asker } from './access.js';
import type { CertificateRow } from './certificates.projection.js';
import { summaryOf } from './certificates.queries.js';
import type { DomainRow } from './domains.projection.js';

type Joined = DomainRow & { is_primary: boolean; target_served: boolean | null; certificate: Pick<CertificateRow, 'status' | 'authority' | 'issuer' | 'not_after' | 'expires_in_days' | 'last_error'> | null };

interface Found {
  readonly domain: Domain;
  /** Whose the site is. */
  readonly owner: string;
  readonly projectId: string;
  /** Id of the certificate too. */
  readonly claimId: string;
}

/** Custom domains as the members of their projects see them; nobody else finds them. */
export class DomainQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  /** A domain that is not removed, however its name is written. What the asker may not see is not found, in the same words. */
  async find(asker: Asker, typed: string): Promise<Found> {
    const name = domainToASCII(typed.replace(/\.$/, '')) || typed;
    const text = `${this.select(', m.role, s.owner')} ${roleJoin(this.schema, 'd.project_id')} WHERE d.name = $1 AND d.status <> 'removed' AND ${seen('d.project_id')} ORDER BY d.created_position DESC LIMIT 1`;
    const { rows } = await this.db.query<Joined & { role: string | null; owner: string }>({ name: 'domain', text, values: [name, ...sightOf(asker)] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no domain "${typed.slice(0, 253)}".`);
    mustMay(asker, rows[0].role);
    return { domain: show(rows[0]), owner: rows[0].owner, projectId: rows[0].project_id, claimId: rows[0].claim_id };
  }

  /** The last claim of a site on a name, also one that has ended. */
  async latest(siteId: string, name: string): Promise<Domain> {
    const { rows } = await this.db.query<Joined>({ name: 'domain-of-site', text: `${this.select()} WHERE d.name = $1 AND d.site_id = $2 ORDER BY d.created_position DESC LIMIT 1`, values: [name, siteId] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no domain "${name}".`);
    return show(rows[0]);
  }

  async page(siteId: string, { limit, cursor }: { limit: number; cursor?: string | undefined }): Promise<{ items: Domain[]; nextCursor?: string }> {
    const text = `${this.select()} WHERE d.site_id = $1 AND d.status <> 'removed' AND d.created_position < $2 ORDER BY d.created_position DESC LIMIT $3`;
    const { rows } = await this.db.query<Joined>({ name: 'domains', text, values: [siteId, cursor === undefined ? Number.MAX_SAFE_INTEGER : readCursor(cursor), limit + 1] });
    return pageFrom(rows, limit, (row) => row.created_position, show);
  }

  private select(more = ''): string {
    const certificate = "CASE WHEN c.status <> 'removed' THEN json_build_object('status', c.status, 'authority', c.authority, 'issuer', c.issuer, 'not_after', c.not_after, 'expires_in_days', c.expires_in_days, 'last_error', c.last_error) END AS certificate";
    // Nothing is found of the site's own hostname, which is always served.
    const target = `(SELECT t.status = 'active' AND t.redirect_to = '' FROM ${this.schema}.domains t WHERE t.site_id = d.site_id AND t.name = d.redirect_to ORDER BY t.created_position DESC LIMIT 1) AS target_served`;
    return `SELECT d.*, coalesce(s.primary_domain = d.name AND d.status <> 'removed', false) AS is_primary, ${target}, ${certificate}${more} FROM ${this.schema}.domains d LEFT JOIN ${this.schema}.sites s ON s.id = d.site_id LEFT JOIN ${this.schema}.certificates c ON c.id = d.claim_id`;
  }
}

function show(row: Joined): Domain {
  const found = JSON.parse(row.found) as (Domain['found'][number] & { error: string })[];
  const managed = JSON.parse(row.managed) as Domain['expected'];
  return {
    name: row.name,
    siteId: row.site_id,
    status: row.status as Domain['status'],
    primary: row.is_primary,
    ...(row.redirect_to ? { redirectTo: row.redirect_to, redirectStatus: row.redirect_status, redirectTargetServed: row.target_served ?? true } : {}),
    owned: row.owned === 1,
    pointsHere: row.points_here === 1,
    expected: JSON.parse(row.expected) as Domain['expected'],
    found: found.map(({ error, ...finding }) => (error ? { ...finding, error } : finding)),
    checks: row.checks,
    ...(row.last_check_at ? { lastCheckAt: row.last_check_at } : {}),
    ...(row.next_check_at ? { nextCheckAt: row.next_check_at } : {}),
    ...(row.deadline_at ? { deadlineAt: row.deadline_at } : {}),
    ...(row.last_error ? { lastError: row.last_error } : {}),
    ...(row.failed_step ? { failedStep: row.failed_step as NonNullable<Domain['failedStep']> } : {}),
    ...(managed.length > 0 ? { managed: { records: managed, phase: row.managed_phase as NonNullable<Domain['managed']>['phase'] } } : {}),
    ...(row.tunnel ? { tunnel: row.tunnel } : {}),
    ...(row.certificate ? { certificate: summaryOf(row.certificate) } : {}),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
