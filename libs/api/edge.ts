import { z } from 'zod';

export const edgeFormat = z.enum(['nginx', 'traefik', 'routes']);

const host = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'A host id has small letters, digits and hyphens, at most 32 of them.').optional().describe("Whose edge; without it, the plane's first host");

const NO_MOMENT = 'A position of the log or a time is needed, for example 1042 or 2026-11-26T12:00:00Z.';
/** A position of the log, or a time. */
const moment = z.union([z.string().regex(/^\d{1,15}$/).transform(Number), z.iso.datetime({ offset: true, error: NO_MOMENT })], { error: NO_MOMENT });

export const edgeQuery = z.strictObject({
  host,
  at: moment.optional().describe('As it was when the log ended there, or then; without it, as it is now'),
  format: edgeFormat.optional().describe('nginx: its configuration. routes: a line a hostname. traefik: the same routes for Traefik. Without it, what the edge itself has'),
});

export const edgeConfig = z.object({
  hostId: z.string(),
  edge: z.string().describe('nginx, nginx-container or embedded'),
  format: edgeFormat,
  revision: z.int().describe('Position up to which it holds every route of the host'),
  hash: z.string().describe('sha256 of what was rendered now, from the log'),
  servedHash: z.string().describe('sha256 of what the host confirmed to serve at that moment'),
  servedSince: z.string(),
  confirmedAt: z.int().describe('Position of the log where the host confirmed it: from there on this is what it served'),
  isServed: z.boolean().describe('Whether the text is, byte for byte, what the host confirmed; another format never is'),
  text: z.string(),
});
export type EdgeConfig = z.output<typeof edgeConfig>;

const entryPoint = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'A name has letters, digits, hyphens and underscores.');

/** Scheme, host and port: a path would be put before every visitor's. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/`;
}
const origin = z.string().max(300).refine(isOrigin, 'An address without a path is needed, for example http://127.0.0.1:8080.');

export const traefikQuery = z.strictObject({
  host,
  http: entryPoint.default('web').describe("Traefik's entry point for HTTP"),
  https: entryPoint.default('websecure').describe("Traefik's entry point for HTTPS"),
  certResolver: entryPoint.optional().describe("Traefik's certificate resolver; without it, its default certificate is shown"),
  edgeUrl: origin.optional().describe("Where Traefik reaches the host's own edge; without it, where the edge listens"),
  containers: z.enum(['through-edge', 'direct']).default('through-edge').describe('direct: Traefik sends visitors to containers itself. It learns of a change only when it asks again, and until then may send them to an address that is another site by now'),
});
