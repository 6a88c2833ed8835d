import type { Pool } from 'pg';
import { pageFrom } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Site } from '#api/site.js';
import { PLANE_KEYRING } from '#domain/naming/naming.js';
import { isLive, type SiteStatus } from '#domain/site/status.js';
import { memberships, mustMay, roleJoin, seen, sightOf, theOneNamed, type Asker } from './access.js';
import { PageQuery } from './page-query.js';
import { contentOf, type SiteRow } from './sites.projection.js';

/** Where the edge serves sites. */
export interface EdgeAddress {
  readonly baseDomain: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

export interface SiteQuery {
  readonly status?: string | undefined;
  readonly kind?: string | undefined;
  readonly projectId?: string | undefined;
  readonly name?: string | undefined;
  readonly leftData?: boolean | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `…_until`: to when the certificate lasts that visitors get for the site's own name, and for its primary domain; null: they get none that anybody trusts. */
type Joined = SiteRow & { operation_status: string | null; operation_delay: string | null; own_until: string | null; primary_until: string | null };
type Found = Joined & { role: string | null };

/** Destroyed ones of whose data something is left that no other site has. */
const LEFT_DATA = "t.status = 'DESTROYED' AND t.data IN ('kept', 'discarding')";

/** Sites as the members of their projects see them; nobody else finds them. */
export class SiteQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
    private readonly edge: EdgeAddress,
    private readonly hosts: { silentSince(hostId: string): string | undefined },
  ) {}

  /** By id, or by the name of a site that is not destroyed. What the asker may not see is not found, in the same words. */
  async find(asker: Asker, idOrName: string): Promise<Site> {
    const row = UUID.test(idOrName) ? await this.withId(asker, idOrName) : await this.named(asker, idOrName);
    if (!row) throw new ProblemError('not-found', `There is no site "${idOrName}".`);
    mustMay(asker, row.role);
    return this.show(row);
  }

  /** Of the projects that the asker may see; of one project, which they have been found to see; or everybody's. */
  async page(asker: Asker | undefined, query: SiteQuery): Promise<{ items: Site[]; nextCursor?: string }> {
    const statement = new PageQuery()
      .add('t.status = ?', query.status)
      .always(query.leftData ? LEFT_DATA : query.status === undefined ? "t.status <> 'DESTROYED'" : 'true')
      .add('t.kind = ?', query.kind)
      .add('t.project_id = ?', query.projectId)
      .add('t.name = ?', query.name)
      .after(query.cursor)
      .statement({
        schema: this.schema, table: 'sites', asker: query.projectId === undefined ? asker : undefined, limit: query.limit,
        columns: `t.*, o.status AS operation_status, o.delay AS operation_delay, ${this.https('t')}`, joins: `LEFT JOIN ${this.schema}.operations o ON o.id = t.operation_id`,
      });
    const { rows } = await this.db.query<Joined>(statement);
    return pageFrom(rows, query.limit, (row) => row.created_position, (row) => this.show(row));
  }

  /** Whose data, and so whose secrets, a site has that was found to be seen. */
  async dataOf(siteId: string): Promise<string> {
    const { rows } = await this.db.query<Pick<SiteRow, 'data_id'>>({ name: 'site-data', text: `SELECT data_id FROM ${this.schema}.sites WHERE id = $1`, values: [siteId] });
    return rows[0]?.data_id || siteId;
  }

  /** Whether a release of a site that is not destroyed consists of these bytes. */
  async usesContent(sha256: string): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.schema}.sites WHERE status <> 'DESTROYED' AND (${contentOf('release')} = $1 OR ${contentOf('next_release')} = $1) LIMIT 1`;
    return ((await this.db.query({ name: 'uses-content', text, values: [sha256] })).rowCount ?? 0) > 0;
  }

  /** The sites of a project that are not destroyed, and those that left data, by the id that their data bears, and by their own. */
  async byData(projectId: string): Promise<ReadonlyMap<string, { readonly siteId: string } | { readonly leftBy: string }>> {
    const text = `SELECT t.id, t.data_id, t.status FROM ${this.schema}.sites t WHERE t.project_id = $1 AND (t.status <> 'DESTROYED' OR ${LEFT_DATA}) ORDER BY t.status <> 'DESTROYED'`;
    const { rows } = await this.db.query<{ id: string; data_id: string; status: string }>({ name: 'sites-by-data', text, values: [projectId] });
    return new Map(rows.flatMap(({ id, data_id, status }) => [id, data_id || id].map((key) => [key, status === 'DESTROYED' ? { leftBy: id } : { siteId: id }] as const)));
  }

  private async withId(asker: Asker, id: string): Promise<Found | undefined> {
    const text = `${this.select()} ${roleJoin(this.schema, 's.project_id')} WHERE s.id = lower($1) AND ${seen('s.project_id')}`;
    const { rows } = await this.db.query<Found>({ name: 'site', text, values: [id, ...sightOf(asker)] });
    return rows[0];
  }

  /** Whoever belongs to many projects has most by a name of their own: only for others' every project is looked into. */
  private async named(asker: Asker, name: string): Promise<Found | undefined> {
    return (await this.ownNamed(asker, name)) ?? (await this.othersNamed(asker, name));
  }

  private async ownNamed(asker: Asker, name: string): Promise<Found | undefined> {
    const text = `${this.select()} JOIN ${this.schema}.members m ON m.id = s.project_id || '/' || $2 WHERE s.owner = $2 AND s.name = $1 AND s.status <> 'DESTROYED' AND ${memberships(2)}`;
    const { rows } = await this.db.query<Found>({ name: 'own-site-by-name', text, values: [name, ...sightOf(asker).slice(0, 2)] });
    return rows[0];
  }

  private async othersNamed(asker: Asker, name: string): Promise<Found | undefined> {
    const own = `${this.schema}.members m JOIN ${this.schema}.sites s ON s.project_id = m.project_id AND s.name = $1 AND s.status <> 'DESTROYED'`;
    const text = `SELECT s.*, o.status AS operation_status, o.delay AS operation_delay, ${this.https('s')}, m.role FROM ${own} LEFT JOIN ${this.schema}.operations o ON o.id = s.operation_id
      WHERE ${memberships(2)} ORDER BY s.owner = $2 DESC, s.created_position LIMIT 2`;
    const { rows } = await this.db.query<Found>({ name: 'site-by-name', text, values: [name, ...sightOf(asker).slice(0, 2)] });
    return theOneNamed(rows, asker, 'site', name);
  }

  private select(): string {
    return `SELECT s.*, o.status AS operation_status, o.delay AS operation_delay, ${this.https('s')}, m.role FROM ${this.schema}.sites s LEFT JOIN ${this.schema}.operations o ON o.id = s.operation_id`;
  }

  private https(site: string): string {
    const last = (where: string): string => `(SELECT max(c.not_after) FROM ${this.schema}.certificates c WHERE c.served = 1 AND ${where})`;
    return `${last(`c.domain = '${this.edge.baseDomain}' AND c.project_id = '${PLANE_KEYRING}' AND c.host_id = ${site}.host_id`)} AS own_until, ${last(`c.domain = ${site}.primary_domain AND c.site_id = ${site}.id`)} AS primary_until`;
  }

  /** By HTTPS where visitors get a certificate for the name. */
  private urlOf(hostname: string, until: string | null): string {
    const isHttps = until !== null && until > new Date().toISOString();
    const port = isHttps ? this.edge.httpsPort : this.edge.httpPort;
    return `${isHttps ? 'https' : 'http'}://${hostname}${port === (isHttps ? 443 : 80) ? '' : `:${port}`}`;
  }

  private show(row: Joined): Site {
    const release = row.release ?? row.next_release;
    const own = this.urlOf(`${row.hostname}.${this.edge.baseDomain}`, row.own_until);
    return {
      id: row.id,
      name: row.name,
      kind: row.kind as Site['kind'],
      status: row.status as Site['status'],
      power: row.power as Site['power'],
      ...this.healthOf(row),
      url: row.primary_domain ? this.urlOf(row.primary_domain, row.primary_until) : own,
      domains: Object.entries(JSON.parse(row.domains) as Record<string, Site['domains'][number]['status']>).map(([name, status]) => ({ name, status, primary: name === row.primary_domain })),
      runtime: row.runtime,
      projectId: row.project_id,
      owner: row.owner,
      hostId: row.host_id,
      ...(row.last_error ? { lastError: row.last_error } : {}),
      ...(row.app ? { app: JSON.parse(row.app) as NonNullable<Site['app']> } : {}),
      ...(row.wordpress ? { wordpress: { ...(JSON.parse(row.wordpress) as Omit<NonNullable<Site['wordpress']>, 'adminUrl'>), adminUrl: `${own}/wp-admin/` } } : {}),
      ...(row.status === 'DESTROYED' ? { leftData: (row.data ?? 'gone') as NonNullable<Site['leftData']>, ...(row.data === 'kept' ? { isDataKept: true } : {}) } : {}),
      ...(row.limits ? { limits: JSON.parse(row.limits) as NonNullable<Site['limits']> } : {}),
      ...(release ? { release: JSON.parse(release) as NonNullable<Site['release']> } : {}),
      ...(row.operation_id ? { operation: { id: row.operation_id, kind: row.operation_kind ?? '', status: row.operation_status ?? 'waiting', ...(row.operation_delay ? { delay: row.operation_delay } : {}) } } : {}),
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  }

  /** What was last seen, as long as there is somebody who would have seen it change. */
  private healthOf(row: Joined): Pick<Site, 'health'> {
    if (!row.health || row.power === 'stopped' || !isLive(row.status as SiteStatus)) return {};
    const silentSince = this.hosts.silentSince(row.host_id);
    if (silentSince) return { health: { state: 'unknown', since: silentSince, detail: `The host "${row.host_id}" does not answer.` } };
    return { health: JSON.parse(row.health) as NonNullable<Site['health']> };
  }
}
