import { z } from 'zod';
import { inWords } from './in-words.js';

/** Every code that a problem can have, and the only place that says which HTTP status it is answered with. */
export const problemStatus = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'quota-exceeded': 409,
  'too-large': 413,
  'unsupported-media': 415,
  invalid: 422,
  unsupported: 422,
  'key-reused': 422,
  'rate-limited': 429,
  internal: 500,
  unavailable: 503,
  unfinished: 504,
  'storage-full': 507,
} as const;

export type ProblemCode = keyof typeof problemStatus;

const titles: Record<ProblemCode, string> = {
  malformed: 'The request cannot be read',
  unauthenticated: 'A valid token is needed',
  forbidden: 'The token does not allow this',
  'not-found': 'Not found',
  conflict: 'Not possible in the present state',
  'quota-exceeded': 'The quota does not allow it',
  'too-large': 'Too large',
  'unsupported-media': 'This kind of content is not taken',
  invalid: 'The request is not valid',
  unsupported: 'Not supported here',
  'key-reused': 'The idempotency key was used for another request',
  'rate-limited': 'Too many requests',
  internal: 'Something went wrong on our side',
  unavailable: 'Not available at the moment',
  unfinished: 'Still under way',
  'storage-full': 'No room left to store this',
};

export const fieldError = z.object({
  field: z.string().describe('Path of the field in the request, for example app.port'),
  message: z.string(),
});
export type FieldError = z.output<typeof fieldError>;

/** RFC 9457. `code` is stable and meant for programs, `detail` for people. */
export const problem = z.object({
  type: z.string().describe('urn:hostplane:problem:<code>'),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(problemStatus) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  requestId: z.string().optional().describe('Names the request in the logs'),
  errors: z.array(fieldError).optional(),
});
export type Problem = z.output<typeof problem>;

export interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
  readonly requestId?: string;
}

/** A problem on its way to the caller, or as the client got it. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail);
  }
}

export function toProblem(error: ProblemError, requestId: string): Problem {
  const { code, message, extras } = error;
  return {
    type: `urn:hostplane:problem:${code}`,
    title: titles[code],
    status: problemStatus[code],
    code,
    detail: message,
    requestId,
    ...(extras.errors?.length ? { errors: [...extras.errors] } : {}),
  };
}

/** Reads a body by its schema; what is wrong comes back as a problem that names each field by its path. */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value, { error: inWords });
  const unwritable = result.success ? fieldOfUnwritable(result.data, []) : undefined;
  if (result.success && unwritable === undefined) return result.data;
  const errors = result.error?.issues.flatMap((issue) => fieldErrors(issue)) ?? [{ field: unwritable!, message: 'Text may have no NUL, and no half of a surrogate pair.' }];
  const [first] = errors;
  throw new ProblemError('invalid', `The ${where} is not valid: ${first?.field ? `${first.field}: ` : ''}${first?.message ?? 'unreadable'}`, { errors });
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map(String);
  if (issue.code === 'invalid_key') return [{ field: path.join('.'), message: issue.issues[0]?.message ?? issue.message }];
  if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.'), message: issue.message }];
  return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: 'This field is not known here.' }));
}

/** Path of the first text that no table could hold, nor any other program read; undefined: there is none. */
function fieldOfUnwritable(value: unknown, path: readonly string[]): string | undefined {
  if (typeof value === 'string') return isWritable(value) ? undefined : path.join('.');
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = isWritable(key) ? fieldOfUnwritable(inner, [...path, key]) : path.join('.');
    if (found !== undefined) return found;
  }
  return undefined;
}

const isWritable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');
