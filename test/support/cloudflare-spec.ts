import type { Document } from 'openapi-backend';
import { DescribedApi, describeWith, readDescription, type Answered, type Operation } from './described-api.js';

const FILE = 'cloudflare.patched.json';

/** `describe` for what is checked against Cloudflare's description. */
export const describeWithCloudflare = (name: string, tests: () => void): void => describeWith(FILE, name, tests);

export const failure = (status: number, code: number, message: string): Answered => ({ status, body: { success: false, errors: [{ code, message }], messages: [], result: null } });

export function cloudflareApi(operations: Readonly<Record<string, Operation>>): DescribedApi {
  return new DescribedApi({
    vendor: 'Cloudflare', definition: description, apiRoot: '/client/v4', operations,
    undescribed: () => failure(404, 7_000, 'No route for that URI'), invalid: failure(400, 9_005, 'The request is not as described.'),
  });
}

/** What stand-ins answer. */
const KEPT = /^\/(zones|zones\/\{zone_id\}\/dns_records(\/\{dns_record_id\})?|certificates.*|accounts\/\{account_id\}\/cfd_tunnel.*)$/;
/** The kinds of records that any stand-in keeps. */
const KINDS = ['A', 'AAAA', 'CNAME', 'MX', 'TXT'].map((type) => `dns-records_${type}Record`);

/**
 * The description with its references in place, and with what it has got since (https://developers.cloudflare.com/api/resources/dns/subresources/records/): a
 * filter by the exact name, and comments and times that are null. What no stand-in keeps is left out: it would take seconds to make sense of it.
 */
function description(): Document {
  const whole = readDescription(FILE, (key, value) => {
    if (key === 'dns-records_comment' || key === 'tunnel_deleted_at') return { ...(value as object), nullable: true };
    const kinds = key === 'oneOf' ? (value as { $ref?: string }[]) : [];
    return kinds.some(({ $ref }) => $ref?.endsWith('/dns-records_ARecord')) ? kinds.filter(({ $ref }) => KINDS.some((kind) => $ref?.endsWith(`/${kind}`))) : value;
  }) as unknown as Record<string, unknown>;
  const kept = Object.fromEntries(Object.entries(whole['paths'] as object).filter(([path]) => KEPT.test(path)));
  const paths = resolved(kept, whole) as Record<string, Record<string, { parameters: unknown[]; responses: Record<string, unknown> }>>;
  // Its lists of certificates have pages by now, and what was revoked says so (https://developers.cloudflare.com/api/resources/origin_ca_certificates/).
  paths['/certificates']!['get']!.parameters.push({ in: 'query', name: 'page', schema: { type: 'integer', minimum: 1 } }, { in: 'query', name: 'per_page', schema: { type: 'integer', minimum: 5, maximum: 50 } });
  paths['/zones/{zone_id}/dns_records']!['get']!.parameters.push({ in: 'query', name: 'name.exact', schema: { type: 'string', maxLength: 255 } });
  // A refusal is described as a good answer and a bad one at once, which nothing can be.
  for (const { responses } of Object.values(paths).flatMap((path) => Object.values(path)).filter((one) => one?.responses)) {
    const schema = (responses['4XX'] as { content?: Record<string, { schema: { allOf?: unknown[] } }> } | undefined)?.content?.['application/json'];
    if (schema?.schema.allOf) schema.schema = schema.schema.allOf.at(-1) as { allOf?: unknown[] };
  }
  return { ...whole, paths } as unknown as Document;
}

function resolved(value: unknown, whole: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((one) => resolved(one, whole));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref } = value as { $ref?: string };
  if (typeof $ref === 'string') return resolved($ref.replace('#/', '').split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key.replaceAll('~1', '/')], whole), whole);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, whole)]));
}
