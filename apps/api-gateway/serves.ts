import { applyDecorators, createParamDecorator, RequestMapping, RequestMethod, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { parseInput, ProblemError } from '#api/problem.js';
import { API_BASE, routerPath, type Route } from '#api/route.js';
import { routes, type RouteName } from '#api/routes.js';

const ROUTE = 'hostplane:route';

/** A handler of one line of the routes table, which gives it method, path and scope. Health and metrics answer without the base path too. */
export function Serves(name: RouteName): MethodDecorator {
  const route: Route = routes[name];
  const path = routerPath(route);
  const paths = route.tag === 'health' ? [path, path.slice(API_BASE.length)] : [path];
  return applyDecorators(RequestMapping({ path: paths, method: RequestMethod[route.method] }), SetMetadata(ROUTE, name));
}

/** The line of the table that a handler serves. */
export function routeOf(handler: object): Route & { readonly name: RouteName } {
  const name = Reflect.getMetadata(ROUTE, handler) as RouteName | undefined;
  if (!name) throw new Error('This handler serves no line of the routes table: decorate it with Serves().');
  return { ...routes[name], name };
}

/** What a request says, parsed by the schemas of its route; see InputOf. */
export const Input: () => ParameterDecorator = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { params, query, body } = routeOf(context.getHandler());
  return {
    params: params && parseInput(params, request.params, 'path'),
    query: query && parseInput(query, request.query, 'query'),
    body: body && parseInput(body, bodyOf(request), 'body'),
  };
});

function bodyOf(request: FastifyRequest): unknown {
  const { body } = request;
  if (body !== null && typeof body === 'object' && 'pipe' in body) throw new ProblemError('unsupported-media', 'The body must be JSON: send it with Content-Type: application/json.');
  return body ?? undefined;
}
