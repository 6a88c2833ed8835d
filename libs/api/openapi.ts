import { z } from 'zod';
import { problem } from './problem.js';
import { API_BASE, type Answered, type Route } from './route.js';
import { routes } from './routes.js';

export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, object>>;
  readonly components: object;
}

/** The OpenAPI 3.1 document of the routes table. */
export function openApi(version: string): OpenApi {
  const paths: OpenApi['paths'] = {};
  for (const [name, route] of Object.entries<Route>(routes)) {
    (paths[API_BASE + route.path] ??= {})[route.method.toLowerCase()] = operationOf(name, route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Hostplane', version, description: 'Put sites live, keep them live, and see what was done. Somebody else\'s resource answers as if it did not exist.' },
    paths,
    components: { schemas: { Problem: jsonSchema(problem, 'output') }, securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token, beginning with hp_' } } },
  };
}

function operationOf(name: string, route: Route): object {
  const body = bodyOf(route);
  return {
    operationId: name,
    summary: route.summary,
    tags: [route.tag],
    ...(route.scope === 'none' ? { security: [] } : { security: [{ token: [] }], description: needs(route) }),
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query'), ...headersOf(route)],
    ...(body ? { requestBody: body } : {}),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, answer]) => [status, responseOf(answer)])),
      default: { description: 'A problem (RFC 9457).', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  };
}

function needs({ scope, right }: Route): string {
  return `Needs a token with the scope \`${scope}\`${right === 'none' ? '' : `, and the right \`${right}\``}.`;
}

function responseOf(answer: Answered): object {
  const content: Record<string, object> = {};
  if (answer.schema) content['application/json'] = { schema: jsonSchema(answer.schema, 'output') };
  if (answer.mediaType) content[answer.mediaType] = { schema: { type: 'string' } };
  const headers = answer.hasLocation ? { headers: { Location: { schema: { type: 'string' }, description: 'Path of what was made, or of the operation.' } } } : {};
  return { description: answer.description, ...headers, ...(Object.keys(content).length ? { content } : {}) };
}

function bodyOf(route: Route): object | undefined {
  const archive = { schema: { type: 'string', format: 'binary' } };
  const form = { schema: { type: 'object', properties: { file: { type: 'string', format: 'binary' } }, required: ['file'] } };
  if (route.upload) {
    return { required: true, content: { 'application/zip': archive, 'application/gzip': archive, 'application/octet-stream': archive, 'multipart/form-data': form } };
  }
  if (!route.body) return undefined;
  return { required: !route.body.safeParse(undefined).success, content: { 'application/json': { schema: jsonSchema(route.body, 'input') } } };
}

function parametersOf(schema: z.ZodObject | undefined, place: 'path' | 'query'): object[] {
  if (!schema) return [];
  const json = jsonSchema(schema, 'input') as { properties?: Record<string, { description?: string }>; required?: string[] };
  return Object.entries(json.properties ?? {}).map(([name, { description, ...property }]) => ({
    name, in: place, required: place === 'path' || (json.required?.includes(name) ?? false), ...(description ? { description } : {}), schema: property,
  }));
}

function headersOf(route: Route): object[] {
  if (!route.idempotent) return [];
  return [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 200 }, description: 'The same request sent again with the same key gets the first answer.' }];
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
