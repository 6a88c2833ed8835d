import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe } from '@jest/globals';
import addFormats from 'ajv-formats';
import { OpenAPIBackend, type Context, type Document } from 'openapi-backend';

/** The vendor's own description of its API, which is not part of this project. */
const file = join(resolve(import.meta.dirname, '../..', process.env['HOSTPLANE_SPECS'] ?? '../shared/specs'), 'coolify.trim.json');

/** Answers that the controllers give otherwise than they are described: the stand-in answers like the controllers. */
const DESCRIBED_WRONGLY = new Set(['list-deployments-by-app-uuid']);

/** The description with what its own BuildPackTypes have besides: an application of an image is a dockerimage. */
function description(): Document {
  return JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) => {
    const kinds = key === 'build_pack' ? (value as { enum?: string[] }).enum : undefined;
    return kinds ? { ...(value as object), enum: [...kinds, 'dockerimage'] } : value;
  }) as Document;
}

/** `describe` for what is checked against Coolify's description; skipped under a name that says so where that is not there. */
export function describeWithCoolify(name: string, tests: () => void): void {
  if (existsSync(file)) describe(name, tests);
  else describe.skip(`${name} (skipped: needs coolify.trim.json in the folder that HOSTPLANE_SPECS names)`, tests);
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

export type Operation = (asked: Asked & { readonly params: Readonly<Record<string, string>> }) => Answered;

/** Routes requests by the description's operation ids, and keeps a record of every request and answer that does not fit it. */
export class DescribedApi {
  private readonly seen = new Set<string>();
  private readonly backend: OpenAPIBackend;

  constructor(operations: Readonly<Record<string, Operation>>, undescribed: (asked: Asked) => Answered) {
    const definition = description();
    this.backend = new OpenAPIBackend({
      definition,
      apiRoot: '/api/v1',
      quick: true,
      ajvOpts: { unicodeRegExp: false, strict: false },
      customizeAjv: (ajv) => {
        (addFormats as unknown as (to: typeof ajv) => void)(ajv);
        return ajv;
      },
    });
    // The stand-in looks at tokens before anything else.
    this.backend.registerSecurityHandler('bearerAuth', () => true);
    this.backend.register('notFound', (_context: Context, asked: Asked) => undescribed(asked));
    this.backend.register('validationFail', (context: Context, asked: Asked) => {
      this.seen.add(`${asked.method} ${asked.path} is not as described: ${JSON.stringify(context.validation.errors)}`);
      return { status: 400, body: { message: 'Invalid request.' } };
    });
    for (const [id, operation] of Object.entries(operations)) {
      if (!this.describes(definition, id)) throw new Error(`Coolify's description has no operation "${id}".`);
      this.backend.register(id, (context: Context, asked: Asked) => this.checked(id, operation({ ...asked, params: context.request.params as Record<string, string> })));
    }
  }

  get violations(): string[] {
    return [...this.seen];
  }

  async handle(asked: Asked): Promise<Answered> {
    await this.backend.init();
    return (await this.backend.handleRequest({ ...asked, body: asked.body, query: { ...asked.query }, headers: { ...asked.headers } }, asked)) as Answered;
  }

  private checked(id: string, answer: Answered): Answered {
    if (DESCRIBED_WRONGLY.has(id)) return answer;
    const { errors } = this.backend.validateResponse(answer.body, id, answer.status);
    if (errors) this.seen.add(`The answer ${answer.status} of ${id} is not as described: ${JSON.stringify(errors)}`);
    return answer;
  }

  private describes({ paths = {} }: Document, id: string): boolean {
    return Object.values(paths).some((path) => Object.values(path as object).some((operation: { operationId?: string }) => operation.operationId === id));
  }
}
