import type { z } from 'zod';
import type { Right } from '#domain/access/rights.js';
import type { Scope } from './token.js';

export const API_BASE = '/api/v1';

/** One line of the contract: what is asked, what is answered, and what a token must allow. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below API_BASE, with parameters as {name}. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** none: no token is asked for. */
  readonly scope: Scope | 'none';
  /** What the caller must have the right to, in the project that is meant; none: it is about the caller alone, or for everybody. */
  readonly right: Right | 'none';
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The body is an archive, raw or as a file of a form. */
  readonly upload?: boolean;
  /** Takes an Idempotency-Key: the same request sent again gets the first answer. */
  readonly idempotent?: boolean;
  readonly answers: Readonly<Record<number, Answered>>;
}

export interface Answered {
  readonly description: string;
  /** None: no body, or `mediaType` text that no schema describes. */
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
  readonly hasLocation?: boolean;
}

type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined;
type Given<T> = T extends z.ZodType ? z.input<T> : undefined;

/** A request as a handler gets it: parsed, defaults filled in. */
export interface InputOf<R extends Route> {
  readonly params: Parsed<R['params']>;
  readonly query: Parsed<R['query']>;
  readonly body: Parsed<R['body']>;
}

type Optional<K extends string, T> = T extends undefined ? { readonly [P in K]?: undefined } : object extends T ? { readonly [P in K]?: T } : { readonly [P in K]: T };

/** A request as a client gives it. */
export type RequestOf<R extends Route> = Optional<'params', Given<R['params']>> & Optional<'query', Given<R['query']>> & Optional<'body', Given<R['body']>>;

type SchemasOf<A> = { [S in keyof A]: A[S] extends { readonly schema: infer T extends z.ZodType } ? z.output<T> : never }[keyof A];

/** Every body that a route can be answered with when it is not a problem. */
export type BodyOf<R extends Route> = SchemasOf<R['answers']>;

/** The path for a request, each parameter encoded. */
export function pathOf(route: Route, params: Readonly<Record<string, unknown>> = {}): string {
  return API_BASE + route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

/** The path as routers write it: parameters as :name. */
export function routerPath(route: Route): string {
  return API_BASE + route.path.replace(/\{(\w+)\}/g, ':$1');
}
