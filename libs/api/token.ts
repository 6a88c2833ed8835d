import { z } from 'zod';
import { rights, type Right } from '#domain/access/rights.js';
import { everyOwner, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** write includes read, admin includes both. */
export const scope = z.enum(['read', 'write', 'admin']);
export type Scope = z.output<typeof scope>;

export const verb = z.enum(rights as [Right, ...Right[]]);

/** What a token is limited to beside its scopes; what is left out is not limited. */
const limits = {
  projects: z.array(z.string()).optional().describe('Ids of the only projects that it is for'),
  verbs: z.array(verb).optional().describe('The only rights that it carries'),
};

export const token = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  scopes: z.array(scope),
  ...limits,
  expiresAt: z.string().optional(),
  lastUsedAt: z.string().optional().describe('To the minute'),
  revokedAt: z.string().optional(),
  createdAt: z.string(),
});
export type Token = z.output<typeof token>;

/** The token itself is in this answer and nowhere else; asked again with the same idempotency key, it is left out. */
export const issuedToken = token.extend({ token: z.string().optional().describe('Shown once: keep it') });
export const tokenPage = pageOf(token);

export const newToken = z.strictObject({
  name: z.string().trim().min(1).max(100),
  scopes: z.array(scope).min(1).max(3).default(['read', 'write']),
  projects: z.array(reference('project', 'Id or name')).min(1).max(100).optional().describe('The only projects that it is for; left out: those of your own token, or all of yours'),
  verbs: z.array(verb).min(1).optional().describe('The only rights that it carries, for example sites:deploy; seeing comes with each; left out: those of your own token, or all that its scopes allow'),
  owner: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._@-]{0,99}$/, 'An owner has small letters, digits, dots, hyphens, underscores or @, at most 100 of them.')
    .optional()
    .describe('Somebody else, for admin tokens'),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});

export const tokenFilter = pageQuery.extend({ all: everyOwner });
export const tokenRef = z.strictObject({ id: reference('token', 'Id of the token') });

/** Who is asking. */
export const session = z.object({ owner: z.string(), tokenId: z.string(), tokenName: z.string(), scopes: z.array(scope), ...limits, expiresAt: z.string().optional() });
export type Session = z.output<typeof session>;

const including: Record<Scope, readonly Scope[]> = { read: ['read', 'write', 'admin'], write: ['write', 'admin'], admin: ['admin'] };

export function allows(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.some((held) => including[needed].includes(held));
}
