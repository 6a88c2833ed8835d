import type { Pool } from 'pg';
import type { ShownEdgeRules } from '#api/edge-rules.js';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { EdgeRulesRow } from './edge-rules.projection.js';

type Kept = Partial<Omit<EdgeRules, 'users'>> & { readonly users?: readonly string[] };

/** How the visitors of a site are treated that was found to be seen. */
export class EdgeRulesQueries {
  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async of(siteId: string): Promise<ShownEdgeRules> {
    const { rows } = await this.db.query<EdgeRulesRow>({ name: 'edge-rules', text: `SELECT * FROM ${this.schema}.edge_rules WHERE site_id = $1`, values: [siteId] });
    return show(siteId, rows[0]);
  }
}

function show(siteId: string, row: EdgeRulesRow | undefined): ShownEdgeRules {
  const { httpsOnly = false, hsts, maxBodyBytes, targetTimeoutSeconds, users = [], allow = [], deny = [], maintenance, errorPages = [] } = JSON.parse(row?.rules ?? '{}') as Kept;
  return {
    siteId,
    status: (row?.status ?? 'served') as ShownEdgeRules['status'],
    ...(row?.last_error ? { lastError: row.last_error } : {}),
    httpsOnly,
    ...(hsts ? { hsts: { maxAgeSeconds: hsts.maxAgeSeconds, includeSubDomains: hsts.includeSubdomains, preload: hsts.preload } } : {}),
    ...(maxBodyBytes ? { maxBodyBytes } : {}),
    ...(targetTimeoutSeconds ? { targetTimeoutSeconds } : {}),
    users: [...users],
    allow,
    deny,
    ...(maintenance ? { maintenance } : {}),
    errorPages: Object.fromEntries(errorPages.map(({ status, html, file }) => [status, html ? { html } : { file }])),
    ...(row?.changed_at ? { changedAt: row.changed_at } : {}),
  };
}
