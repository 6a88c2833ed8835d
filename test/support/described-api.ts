import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe } from '@jest/globals';
import addFormats from 'ajv-formats';
import { OpenAPIBackend, type Context, type Document } from 'openapi-backend';

/** A vendor's own description of its API, which is not part of this project. */
const fileOf = (name: string): string => join(resolve(import.meta.dirname, '../..', process.env['HOSTPLANE_SPECS'] ?? '../shared/specs'), name);

export function readDescription(name: string, reviver?: (key: string, value: unknown) => unknown): Document {
  return JSON.parse(readFileSync(fileOf(name), 'utf8'), reviver) as Document;
}

/** `describe` for what is checked against a description; skipped under a name that says so where that is not there. */
export function describeWith(description: string, name: string, tests: () => void): void {
  if (existsSync(fileOf(description))) describe(name, tests);
  else describe.skip(`${name} (skipped: needs ${description} in the folder that HOSTPLANE_SPECS names)`, tests);
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Answered {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Operation = (asked: Asked & { readonly params: Readonly<Record<string, string>> }) => Answered | Promise<Answered>;

export interface DescribedApiOptions {
  readonly vendor: string;
  /** Read once, however many stand-ins there are: to make sense of a large one takes seconds. */
  definition(): Document;
  readonly apiRoot: string;
  readonly operations: Readonly<Record<string, Operation>>;
  /** Answers what the description does not know. */
  undescribed(asked: Asked): Answered;
  /** Answers what does not fit it. */
  readonly invalid: Answered;
  /** Operations whose answers the vendor gives otherwise than it describes them. */
  readonly describedWrongly?: ReadonlySet<string>;
}

interface Known {
  readonly backend: OpenAPIBackend;
  readonly operations: ReadonlySet<string>;
}

const known = new Map<string, Known>();

/** Routes requests by the description's operation ids, and keeps a record of every request and answer that does not fit it. */
export class DescribedApi {
  private readonly seen = new Set<string>();
  private readonly backend: OpenAPIBackend;

  constructor(private readonly options: DescribedApiOptions) {
    const { vendor, definition, apiRoot, operations } = options;
    const there = known.get(vendor) ?? understand(definition(), apiRoot);
    known.set(vendor, there);
    for (const id of Object.keys(operations)) if (!there.operations.has(id)) throw new Error(`${vendor}'s description has no operation "${id}".`);
    this.backend = there.backend;
  }

  get violations(): string[] {
    return [...this.seen];
  }

  async handle(asked: Asked): Promise<Answered> {
    await initialised(this.backend);
    return (await this.backend.handleRequest({ ...asked, body: asked.body, query: { ...asked.query }, headers: { ...asked.headers } }, asked, this)) as Answered;
  }

  unknown(asked: Asked): Answered {
    return this.options.undescribed(asked);
  }

  invalid(asked: Asked, errors: unknown): Answered {
    this.seen.add(`${asked.method} ${asked.path} is not as described: ${JSON.stringify(errors)}`.slice(0, LONGEST));
    return this.options.invalid;
  }

  async run(id: string, asked: Parameters<Operation>[0]): Promise<Answered> {
    const operation = this.options.operations[id];
    if (!operation) return this.unknown(asked);
    const answer = await operation(asked);
    if (this.options.describedWrongly?.has(id)) return answer;
    const { errors } = this.backend.validateResponse(answer.body, id, answer.status);
    if (errors) this.seen.add(`The answer ${answer.status} of ${id} is not as described: ${JSON.stringify(errors)}`.slice(0, LONGEST));
    return answer;
  }
}

const LONGEST = 2_000;

/** The list of operations is remembered: the library makes it anew several times for each request, which takes most of the time. */
async function initialised(backend: OpenAPIBackend): Promise<void> {
  if (backend.initialized) return;
  await backend.init();
  for (const router of [backend.router, backend.validator.router]) {
    const operations = router.getOperations();
    router.getOperations = () => operations;
  }
}

function understand(definition: Document, apiRoot: string): Known {
  const backend = new OpenAPIBackend({
    definition,
    apiRoot,
    quick: true,
    ajvOpts: { unicodeRegExp: false, strict: false },
    customizeAjv: (ajv) => {
      (addFormats as unknown as (to: typeof ajv) => void)(ajv);
      return ajv;
    },
  });
  // A stand-in looks at tokens before anything else.
  for (const scheme of Object.keys((definition as { components?: { securitySchemes?: object } }).components?.securitySchemes ?? {})) backend.registerSecurityHandler(scheme, () => true);
  backend.register('notFound', (_context: Context, asked: Asked, api: DescribedApi) => api.unknown(asked));
  backend.register('validationFail', (context: Context, asked: Asked, api: DescribedApi) => api.invalid(asked, context.validation.errors));
  const operations = Object.values(definition.paths ?? {}).flatMap((path) => Object.values(path as object).flatMap(({ operationId }: { operationId?: string }) => operationId ?? []));
  for (const id of operations) backend.register(id, (context: Context, asked: Asked, api: DescribedApi) => api.run(id, { ...asked, params: context.request.params as Record<string, string> }));
  return { backend, operations: new Set(operations) };
}
