import { z } from 'zod';

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
const sized = (most: number) => z.string().refine((text) => bytesOf(text) <= most && text.isWellFormed(), `At most ${most} bytes of text.`);

/** What search engines and browsers ask of whoever wants to be on their list (hstspreload.org). */
const PRELOAD_SECONDS = 31_536_000;

const hsts = z
  .strictObject({
    maxAgeSeconds: z.int().min(0).max(316_224_000).describe('How long browsers keep to it; 0 ends it'),
    includeSubDomains: z.boolean().default(false),
    preload: z.boolean().default(false),
  })
  .refine(({ preload, includeSubDomains, maxAgeSeconds }) => !preload || (includeSubDomains && maxAgeSeconds >= PRELOAD_SECONDS), `preload needs includeSubDomains and at least ${PRELOAD_SECONDS} seconds.`);

const range = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: 'An IP address or range is needed, for example 192.0.2.0/24 or 2001:db8::/32.' });
const ranges = z.array(range).max(1_000);

const userName = z.string().regex(/^[A-Za-z0-9._@-]{1,64}$/, 'A user has letters, digits, dots, hyphens, underscores or @, at most 64 of them.');
/** bcrypt takes no more than its first 72 bytes into account. */
const password = sized(72).refine((text) => text.length >= 8 && !/\p{Cc}/u.test(text), 'A password has at least 8 characters.');
const passwordHash = z.string().regex(/^\$2[aby]\$(0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}$/, 'A bcrypt hash of a cost from 4 to 12 is needed, as `htpasswd -B` makes it.');
const user = z.union([z.strictObject({ password }), z.strictObject({ passwordHash })]).nullable();

const html = sized(16_384).refine((text) => text !== '', 'A page cannot be empty.').describe('The page itself');
const file = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}){0,10}$/, 'A file of the site is like errors/404.html.');
const page = z.strictObject({ html });
const maintenance = z.strictObject({
  text: sized(4_096).default('').describe('What visitors are told, as plain text; without it, words of our own'),
  retryAfterSeconds: z.int().min(1).max(31_536_000).default(300),
});

/** What is left out stays; null takes it away. */
export const edgeRulesChange = z.strictObject({
  httpsOnly: z.boolean().optional().describe('Send visitors who come by HTTP on to HTTPS'),
  hsts: hsts.nullable().optional().describe('Tell browsers over HTTPS to come by HTTPS only (Strict-Transport-Security)'),
  maxBodyBytes: z.int().min(1).nullable().optional().describe("Greatest body of a request; never above the host's"),
  targetTimeoutSeconds: z.int().min(1).max(86_400).nullable().optional().describe('How long the site may keep silent'),
  users: z.record(userName, user).nullable().optional().describe('Who may come in, by name and password (HTTP basic authentication); those that are not named stay, null takes one away'),
  allow: ranges.nullable().optional().describe('IP ranges whose visitors may come in, and others not; the narrowest range decides'),
  deny: ranges.nullable().optional().describe('IP ranges whose visitors may not come in'),
  maintenance: maintenance.nullable().optional().describe('Answer every visitor with 503 and a page that says so'),
  errorPages: z.strictObject({ 404: z.union([page, z.strictObject({ file })]).nullable().optional(), 502: page.nullable().optional(), 503: page.nullable().optional() }).nullable().optional()
    .describe("Pages in place of the edge's own: where a static site has none (404), the site does not answer (502), it is stopped (503)"),
});
export type EdgeRulesChange = z.output<typeof edgeRulesChange>;

export const edgeRules = z.object({
  siteId: z.string(),
  status: z.enum(['served', 'changing', 'waiting', 'refused']).describe('changing: the edge is told. waiting: for the site to go live. refused: those that are shown stand again'),
  lastError: z.string().optional().describe('Why the edge refused the last change, or does not serve it yet and is asked again'),
  httpsOnly: z.boolean(),
  hsts: z.object({ maxAgeSeconds: z.int(), includeSubDomains: z.boolean(), preload: z.boolean() }).optional(),
  maxBodyBytes: z.int().optional(),
  targetTimeoutSeconds: z.int().optional(),
  users: z.array(z.string()).describe('Their names'),
  allow: z.array(z.string()),
  deny: z.array(z.string()),
  maintenance: z.object({ text: z.string(), retryAfterSeconds: z.int() }).optional(),
  errorPages: z.record(z.string(), z.object({ html: z.string().optional(), file: z.string().optional() })).describe('By status'),
  changedAt: z.string().optional(),
});
export type ShownEdgeRules = z.output<typeof edgeRules>;
