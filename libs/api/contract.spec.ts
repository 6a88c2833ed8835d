import { describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import { newDomain } from './domain.js';
import { edgeQuery, traefikQuery } from './edge.js';
import { edgeRulesChange } from './edge-rules.js';
import { openApi } from './openapi.js';
import { cursorOf, pageFrom, readCursor } from './paging.js';
import { parseInput, ProblemError, problemStatus, toProblem } from './problem.js';
import { pathOf, type Route } from './route.js';
import { routes } from './routes.js';
import { newSite, siteFilter } from './site.js';
import { newSecret } from './secret.js';
import { allows, newToken } from './token.js';

function problemFrom(work: () => unknown): ProblemError {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

describe('the routes table', () => {
  const table = Object.entries<Route>(routes);
  it('has no two lines for the same request', () => {
    const requests = table.map(([, route]) => `${route.method} ${route.path.replace(/\{\w+\}/g, '{}')}`);
    expect(new Set(requests).size).toBe(requests.length);
  });
  it('asks for a token everywhere but for health and metrics', () => {
    expect(table.filter(([, route]) => route.scope === 'none').map(([name]) => name)).toEqual(['showHealth', 'showLiveness', 'showReadiness', 'showMetrics']);
  });
  it('asks for more than read where something changes', () => {
    expect(table.filter(([, route]) => route.method !== 'GET' && route.scope === 'read')).toEqual([]);
  });
  it('has a parameter for each name in a path, and encodes it', () => {
    for (const [, route] of table) expect([...route.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1])).toEqual(Object.keys(route.params?.shape ?? {}));
    expect(pathOf(routes.showSite, { id: '../x' })).toBe('/api/v1/sites/..%2Fx');
  });
  it('is published whole as OpenAPI', () => {
    const document = openApi('1');
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path) as { operationId: string }[]);
    expect(operations.map((o) => o.operationId).sort()).toEqual(Object.keys(routes).sort());
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });
});

describe('problems', () => {
  it('name each field that is wrong by its path', () => {
    const error = problemFrom(() => parseInput(newSite, { name: 'a', kind: 'app', port: 70000, env: { '1x': 'y' }, colour: 'red' }, 'body'));
    expect(error.code).toBe('invalid');
    expect(error.extras.errors?.map((e) => e.field).sort()).toEqual(['colour', 'env.1x', 'port']);
  });
  it.each([
    [newSite, { name: '', kind: 'static' }, 'name', 'It cannot be empty.'],
    [newSite, { name: 'a'.repeat(201), kind: 'static' }, 'name', 'It has 201 characters, and at most 200 are allowed.'],
    [newSite, { name: 'a' }, 'kind', 'It is missing: "static", "app" or "wordpress" is needed.'],
    [newSite, { name: 'a', kind: 'cgi' }, 'kind', '"cgi" is none of "static", "app" and "wordpress".'],
    [newSite, { name: 7, kind: 'static' }, 'name', 'A text is needed, not a number.'],
    [newSite, { kind: 'static' }, 'name', 'It is missing: a text is needed.'],
    [newSite, { name: 'a', kind: 'app', image: 'i', port: 70_000 }, 'port', '70000 is too much: at most 65535 is allowed.'],
    [newSite, { name: 'a', kind: 'app', image: 'i', port: 1.5 }, 'port', '1.5 is not a whole number.'],
    [newSite, { name: 'a', kind: 'wordpress', adminEmail: 'nonsense' }, 'adminEmail', '"nonsense" is not an e-mail address.'],
    [newSecret, { generate: 9 }, 'generate', '9 is too little: at least 20 is needed.'],
    [newSecret, { value: 'planted-value'.repeat(6_000) }, 'value', 'It has 78000 characters, and at most 65536 are allowed.'],
    [newToken, { name: 'a', scopes: [] }, 'scopes', 'At least 1 is needed.'],
    [newToken, { name: 'a', expiresAt: 'tomorrow' }, 'expiresAt', '"tomorrow" is not a time such as 2026-11-20T12:00:00Z.'],
  ])('say what is wrong, with the value unless it may be secret, and what is needed: %#', (schema, input, field, message) => {
    expect(problemFrom(() => parseInput(schema as z.ZodType, input, 'body')).extras.errors).toContainEqual({ field, message });
  });
  it('say what is wrong with a key, and with a choice', () => {
    const said = (work: () => unknown) => problemFrom(work).extras.errors;
    expect(said(() => parseInput(edgeRulesChange, { users: { 'a:b': { password: 'long enough' } } }, 'body'))).toEqual([{ field: 'users.a:b', message: expect.stringContaining('A user has letters') }]);
    expect(said(() => parseInput(newDomain, { name: 'a.example.com', redirectTo: 'b.example.com', redirectStatus: 302 }, 'body'))).toEqual([{ field: 'redirectStatus', message: '301 or 308 is needed.' }]);
    expect(said(() => parseInput(newDomain, { name: 'a.example.com', redirectStatus: 301 }, 'body'))).toEqual([{ field: 'redirectStatus', message: 'There is no redirect without redirectTo.' }]);
  });
  it('say what a moment is, and where an edge can be', () => {
    const said = (work: () => unknown) => problemFrom(work).extras.errors;
    for (const at of ['yesterday', '-5', '1042.5']) expect(said(() => parseInput(edgeQuery, { at }, 'query'))).toEqual([{ field: 'at', message: 'A position of the log or a time is needed, for example 1042 or 2026-11-26T12:00:00Z.' }]);
    for (const edgeUrl of ['http://a/b', 'http://a?b', 'http://u@a', 'ftp://a', 'nowhere']) expect(said(() => parseInput(traefikQuery, { edgeUrl }, 'query'))).toEqual([{ field: 'edgeUrl', message: 'An address without a path is needed, for example http://127.0.0.1:8080.' }]);
    for (const edgeUrl of ['http://a', 'https://[::1]:8080/', 'http://a:80']) expect(parseInput(traefikQuery, { edgeUrl }, 'query').edgeUrl).toBe(edgeUrl);
  });
  it('say what an app lacks', () => {
    expect(problemFrom(() => parseInput(newSite, { name: 'a', kind: 'app' }, 'body')).extras.errors?.map((e) => e.field)).toEqual(['image', 'port']);
    expect(problemFrom(() => parseInput(newSite, { name: 'a', kind: 'static', image: 'x' }, 'body')).extras.errors?.map((e) => e.field)).toEqual(['image']);
  });
  it('have a status for each code', () => {
    for (const [code, status] of Object.entries(problemStatus)) {
      expect(toProblem(new ProblemError(code as keyof typeof problemStatus, 'x'), 'r')).toMatchObject({ code, status, requestId: 'r', type: `urn:hostplane:problem:${code}` });
    }
  });
});

describe('pages', () => {
  it('come back to where the last one ended', () => {
    expect(readCursor(cursorOf(4711))).toBe(4711);
    expect(pageFrom([9, 8, 7], 2, (n) => n, (n) => n)).toEqual({ items: [9, 8], nextCursor: cursorOf(8) });
    expect(pageFrom([9, 8], 2, (n) => n, (n) => n)).toEqual({ items: [9, 8] });
  });
  it.each(['', 'x', btoa('[-1]'), btoa('["1"]'), btoa('{}')])('refuse the cursor %j', (cursor) => {
    expect(problemFrom(() => readCursor(cursor)).extras.errors?.[0]?.field).toBe('cursor');
  });
  it('have limits', () => {
    expect(siteFilter.parse({}).limit).toBe(50);
    expect(siteFilter.safeParse({ limit: '201' }).success).toBe(false);
    expect(siteFilter.safeParse({ colour: 'x' }).success).toBe(false);
  });
});

describe('scopes', () => {
  it('include the lesser ones', () => {
    expect([allows(['write'], 'read'), allows(['read'], 'write'), allows(['admin'], 'write'), allows(['write'], 'admin'), allows([], 'read')]).toEqual([true, false, true, false, false]);
  });
});
