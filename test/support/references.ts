import { openApi } from '#api/openapi.js';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly minLength?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly 'x-resource'?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Schema;
}
interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** One parameter of one route, in its path, query or body, that names something of somebody's. */
export interface Reference {
  readonly title: string;
  readonly operationId: string;
  readonly method: string;
  /** With parameters as {name}. */
  readonly path: string;
  readonly place: 'path' | 'query' | 'body';
  readonly field: string;
  /** What it names, as x-resource says. */
  readonly resource: string;
  readonly operation: Operation;
}

/** What a field is called that names something. Names of people and of what is to be made are none of them. */
const TELLING = /^id$|Ids?$|^(project|site|operation|token|member|secret|backup|volume|database|domain|deployment|certificate|host|webhook|build)s?$|From$/;
/** A person, whoever it is; the name of what is made by it; or a host, which is nobody's but the operator's. */
const NAMES = new Set(['addMember body.member', 'storeSecret path.name', 'showEdge query.host', 'traefikConfig query.host']);

/** Every reference in the OpenAPI document; and of the parameters that look like one, those that do not say what they name. */
export function referencesOf(): { references: readonly Reference[]; unmarked: readonly string[] } {
  const references: Reference[] = [];
  const unmarked: string[] = [];
  for (const [path, methods] of Object.entries(openApi('1').paths)) {
    for (const [method, operation] of Object.entries(methods) as [string, Operation][]) {
      if (operation.security.length === 0) continue;
      const fields = [...operation.parameters.filter((one) => one.in !== 'header').map((one) => [one.in, one.name, one.schema] as const), ...bodyFields(operation)];
      for (const [place, field, schema] of fields) {
        const resource = (schema.items ?? schema)['x-resource'];
        const title = `${method.toUpperCase()} ${path.replace('/api/v1', '')} ${place} ${field}`;
        if (resource !== undefined) references.push({ title, operationId: operation.operationId, method: method.toUpperCase(), path: path.replace('/api/v1', ''), place: place as Reference['place'], field, resource, operation });
        else if ((place === 'path' || (TELLING.test(field) && isText(schema))) && !NAMES.has(`${operation.operationId} ${place}.${field}`)) unmarked.push(title);
      }
    }
  }
  return { references, unmarked };
}

/** A number names nothing, nor does one of a few words. */
function isText({ type, enum: words, items, anyOf }: Schema): boolean {
  return (type === 'string' && words === undefined) || (items !== undefined && isText(items)) || (anyOf?.some(isText) ?? false);
}

function bodyFields({ requestBody }: Operation): (readonly ['body', string, Schema])[] {
  return Object.entries(jsonOf(requestBody)?.properties ?? {}).map(([field, schema]) => ['body', field, schema] as const);
}

const jsonOf = (requestBody: Operation['requestBody']): Schema | undefined => requestBody?.content['application/json']?.schema;

/** A request in which the reference has this value, other references have what `own` says, and everything else that is needed is a sample. */
export function requestTo(reference: Reference, value: string, own: (resource: string) => string): { path: string; body?: unknown } {
  const { operation, place, field } = reference;
  const valueOf = (where: string, name: string, schema: Schema): unknown => (where === place && name === field ? (schema.items ? [value] : value) : sampleOf(schema, own));
  const asked = (where: string) => operation.parameters.filter((one) => one.in === where && (one.required || (where === place && one.name === field)));
  const path = asked('path').reduce((text, { name, schema }) => text.replace(`{${name}}`, encodeURIComponent(String(valueOf('path', name, schema)))), reference.path);
  const query = new URLSearchParams(asked('query').map(({ name, schema }): [string, string] => [name, String(valueOf('query', name, schema))]));
  const json = jsonOf(operation.requestBody);
  const needed = Object.entries(json?.properties ?? {}).filter(([name]) => json?.required?.includes(name) || (place === 'body' && name === field));
  const isUpload = operation.requestBody !== undefined && json === undefined;
  return { path: query.size > 0 ? `${path}?${query.toString()}` : path, ...(json ? { body: { ...(json.examples?.[0] as object | undefined), ...Object.fromEntries(needed.map(([name, schema]) => [name, valueOf('body', name, schema)])) } } : isUpload ? { body: new Uint8Array([1]) } : {}) };
}

/** Something that fits a schema. A route whose schema says too little for that gives an example: `.meta({ examples: […] })`. */
function sampleOf(schema: Schema, own: (resource: string) => string): unknown {
  const resource = schema['x-resource'];
  if (resource !== undefined) return own(resource);
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  switch (schema.type) {
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    case 'array':
      return schema.items ? [sampleOf(schema.items, own)] : [];
    case 'object':
      return Object.fromEntries((schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name] ?? {}, own)]));
    default:
      return 'sample'.padEnd(schema.minLength ?? 0, 'x');
  }
}
