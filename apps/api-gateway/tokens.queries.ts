import { createHash, timingSafeEqual } from 'node:crypto';
import type { Pool } from 'pg';
import { pageFrom, readCursor } from '#api/paging.js';
import { ProblemError } from '#api/problem.js';
import type { Scope, Token } from '#api/token.js';
import { includesRight, rights, type Right } from '#domain/access/rights.js';
import { isOperator, type Asker } from './access.js';
import type { Caller } from './call.js';
import type { TokenRow } from './tokens.projection.js';

/** How long a token may still be let in that another gateway revoked; our own forget it at once. */
const KNOWN_MS = 2_000;
const MOST_KNOWN = 10_000;
/** Last use is recorded to the minute. */
const USE_MS = 60_000;

interface Known {
  readonly row: TokenRow | undefined;
  readonly untilMs: number;
}

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Who may come in. Looks tokens up by their hash; keeps the answer for a moment, since every request asks. */
export class TokenBook {
  private readonly known = new Map<string, Known>();
  private readonly usedMs = new Map<string, number>();

  constructor(
    private readonly db: Pool,
    private readonly schema: string,
  ) {}

  async callerOf(token: string): Promise<Caller | undefined> {
    const hash = hashOf(token);
    const row = this.remembered(hash) ?? (await this.look(hash));
    if (!row || !timingSafeEqual(Buffer.from(row.hash), Buffer.from(hash)) || !isValid(row, Date.now())) return undefined;
    this.noteUse(row.id);
    return { owner: row.owner, tokenId: row.id, tokenName: row.name, scopes: scopesOf(row), ...limitsOf(row), ...(row.expires_at ? { expiresAt: row.expires_at } : {}) };
  }

  /** Id of a token that was let in a moment ago. */
  recentIdOf(token: string): string | undefined {
    return this.remembered(hashOf(token))?.id;
  }

  /** What was remembered is looked up anew. */
  forget(): void {
    this.known.clear();
  }

  /** Of the caller's tokens those that are no wider than the caller's own; with `all`, everybody's. */
  async page({ caller }: Asker, { all, limit, cursor }: { all: boolean; limit: number; cursor?: string | undefined }): Promise<{ items: Token[]; nextCursor?: string }> {
    const before = cursor === undefined ? null : readCursor(cursor);
    const { rows } = await this.db.query<ShownRow>({
      name: 'tokens-page',
      text: `${this.select()} WHERE ${NO_WIDER} AND ($4::bigint IS NULL OR t.created_position < $4) ORDER BY t.created_position DESC LIMIT $5`,
      values: [...within(caller, all), before, limit + 1],
    });
    return pageFrom(rows, limit, (row) => Number(row.created_position), show);
  }

  /** A token of the caller's that is no wider than the caller's own; for who runs the plane, anybody's. */
  async find({ caller }: Asker, id: string): Promise<Token> {
    const { rows } = await this.db.query<ShownRow>({ name: 'token', text: `${this.select()} WHERE ${NO_WIDER} AND t.id = $4`, values: [...within(caller, isOperator(caller)), id] });
    if (!rows[0]) throw new ProblemError('not-found', `There is no token "${id}".`);
    return show(rows[0]);
  }

  /** Whether anybody holds a token that is valid and has every scope. */
  async hasAdmin(): Promise<boolean> {
    const { rows } = await this.db.query<TokenRow>(`SELECT * FROM ${this.schema}.tokens WHERE revoked_at IS NULL`);
    return rows.some((row) => isValid(row, Date.now()) && scopesOf(row).includes('admin') && !row.projects && !row.verbs);
  }

  private select(): string {
    return `SELECT t.*, u.used_at FROM ${this.schema}.tokens t LEFT JOIN ${this.schema}.token_uses u ON u.token_id = t.id`;
  }

  private remembered(hash: string): TokenRow | undefined {
    const known = this.known.get(hash);
    return known && known.untilMs > Date.now() ? known.row : undefined;
  }

  private async look(hash: string): Promise<TokenRow | undefined> {
    const { rows } = await this.db.query<TokenRow>({ name: 'token-by-hash', text: `SELECT * FROM ${this.schema}.tokens WHERE hash = $1`, values: [hash] });
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    if (rows[0]) this.known.set(hash, { row: rows[0], untilMs: Date.now() + KNOWN_MS });
    return rows[0];
  }

  private noteUse(id: string): void {
    const now = Date.now();
    if (now - (this.usedMs.get(id) ?? 0) < USE_MS) return;
    if (this.usedMs.size >= MOST_KNOWN) this.usedMs.clear();
    this.usedMs.set(id, now);
    const text = `INSERT INTO ${this.schema}.token_uses (token_id, used_at) VALUES ($1, $2) ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at`;
    // Nobody waits for this, and nothing depends on it.
    this.db.query(text, [id, new Date(now).toISOString()]).catch(() => this.usedMs.delete(id));
  }
}

/** Of $1's tokens, or everybody's; limited to no more than the projects $2 and the rights $3, if there are any. */
const NO_WIDER = `($1::text IS NULL OR t.owner = $1) AND ($2::text[] IS NULL OR string_to_array(t.projects, ',') <@ $2) AND ($3::text[] IS NULL OR string_to_array(t.verbs, ',') <@ $3)`;

function within({ owner, projects, verbs }: Caller, all: boolean): unknown[] {
  return [all ? null : owner, projects ?? null, verbs ? rights.filter((right) => includesRight(verbs, right)) : null];
}

type ShownRow = TokenRow & { used_at: string | null };

const scopesOf = (row: TokenRow): Scope[] => row.scopes.split(',') as Scope[];

const limitsOf = ({ projects, verbs }: TokenRow): Pick<Token, 'projects' | 'verbs'> => ({
  ...(projects ? { projects: projects.split(',') } : {}),
  ...(verbs ? { verbs: verbs.split(',') as Right[] } : {}),
});

function isValid(row: TokenRow, nowMs: number): boolean {
  return row.revoked_at === null && (row.expires_at === null || Date.parse(row.expires_at) > nowMs);
}

function show(row: ShownRow): Token {
  return {
    id: row.id, name: row.name, owner: row.owner, scopes: scopesOf(row), ...limitsOf(row), createdAt: row.created_at,
    ...(row.expires_at ? { expiresAt: row.expires_at } : {}),
    ...(row.used_at ? { lastUsedAt: row.used_at } : {}),
    ...(row.revoked_at ? { revokedAt: row.revoked_at } : {}),
  };
}
