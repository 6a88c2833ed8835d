import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { coolifyApi } from './coolify-spec.js';
import { CoolifyState, publicId, type AppRow, type CoolifyTimes, type DeploymentRow } from './coolify-state.js';
import { CoolifyStacks, type Place } from './coolify-stacks.js';
import { PretendedStack, type MakeStack } from './coolify-compose.js';
import type { Answered, Asked, DescribedApi, Operation } from './described-api.js';

/** What goes wrong with the next requests whose `<method> <path>` fits. `after`: the request was taken, and its answer never comes. */
export interface CoolifyFault {
  readonly on: RegExp;
  readonly kind: 'reset' | 'reset-after' | 'hang-after' | 'status' | 'status-after';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  times: number;
}

export interface StandInOptions extends Partial<CoolifyTimes> {
  /** Requests a minute; without it as many as come. */
  readonly perMinute?: number;
  readonly servers?: readonly { readonly uuid: string; readonly name: string }[];
  /** What services run on; without it nothing real. */
  readonly makeStack?: MakeStack;
}

export const COOLIFY_TOKEN = '7|a-token-of-coolify-that-nobody-may-see';
export const COOLIFY_READER_TOKEN = '8|a-token-that-may-not-read-sensitive-data';
const PROJECT_TEXT = /^[\p{L}\p{M}\p{N}\s\-_.,!?()'"+=*@/&]+$/u;

/**
 * A Coolify as a client sees it: state, queues, delays and the traps of the real one (App\Http\Controllers\Api and App\Jobs of its version 4.3),
 * every request and answer checked against its own description. The apps that it runs answer on ports of this machine.
 */
export class CoolifyStandIn {
  readonly state: CoolifyState;
  readonly stacks: CoolifyStacks;
  readonly faults: CoolifyFault[] = [];
  /** `<method> <path>?<query>` of all that was asked. */
  readonly asked: string[] = [];
  private readonly api: DescribedApi;
  private readonly servers: readonly { readonly uuid: string; readonly name: string }[];

  private constructor(
    private readonly server: Server,
    private readonly options: StandInOptions,
  ) {
    this.state = new CoolifyState({ workMs: 5, lagMs: 5, queueLimit: 25, concurrentBuilds: 2, ...options });
    this.stacks = new CoolifyStacks(this.state, options.makeStack ?? ((uuid) => new PretendedStack(uuid)), (body) => this.placeOf(body));
    this.servers = options.servers ?? [{ uuid: 'server-1', name: 'localhost' }];
    const first = publicId();
    this.state.destinations.set(first, { uuid: first, name: 'coolify', network: 'coolify' });
    this.api = coolifyApi(this.operations(), (asked) => this.undescribed(asked));
  }

  static async start(options: StandInOptions = {}): Promise<CoolifyStandIn> {
    const server = createServer();
    const standIn = new CoolifyStandIn(server, options);
    server.on('request', (request, response) => void standIn.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Requests and answers that do not fit Coolify's description. */
  get violations(): readonly string[] {
    return this.api.violations;
  }

  /** Everything that somebody made here. */
  async leftovers(): Promise<string[]> {
    const { apps, projects, destinations, containers } = this.state;
    return [
      ...(await this.stacks.leftovers()),
      ...[...apps.values()].map(({ fields }) => `application ${String(fields['name'])}`),
      ...[...projects.values()].map(({ name }) => `project ${name}`),
      ...[...destinations.values()].filter(({ name }) => name !== 'coolify').map(({ name }) => `destination ${name}`),
      ...[...containers.keys()].filter((uuid) => !apps.has(uuid)).map((uuid) => `container ${uuid}`),
    ];
  }

  fail(on: RegExp, kind: CoolifyFault['kind'], more: Partial<CoolifyFault> = {}): void {
    this.faults.push({ on, kind, times: 1, ...more });
  }

  async close(): Promise<void> {
    await this.state.close();
    await this.stacks.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', this.url);
    const text = Buffer.concat(chunks).toString();
    const asked: Asked = { method: request.method ?? 'GET', path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers as Record<string, string>, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    const name = `${asked.method} ${asked.path.replace('/api/v1', '')}`;
    this.asked.push(`${name}${url.search}`);
    const fault = this.faults.find((one) => one.times > 0 && one.on.test(name));
    if (fault) fault.times--;
    if (fault?.kind === 'reset') return void request.socket.destroy();
    const answer = fault?.kind === 'status' ? { status: fault.status!, body: { message: 'Injected.' }, ...(fault.headers && { headers: fault.headers }) } : await this.allowed(asked);
    if (fault?.kind === 'reset-after') return void request.socket.destroy();
    if (fault?.kind === 'hang-after') return;
    if (fault?.kind === 'status-after') return void response.writeHead(fault.status!).end('<h1>Server Error</h1>');
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(JSON.stringify(answer.body));
  }

  private async allowed(asked: Asked): Promise<Answered> {
    if (![COOLIFY_TOKEN, COOLIFY_READER_TOKEN].includes(asked.headers['authorization']?.replace('Bearer ', '') ?? '')) return { status: 401, body: { message: 'Unauthenticated.' } };
    if (this.options.perMinute !== undefined && this.asked.length > this.options.perMinute) return { status: 429, body: { message: 'Too Many Attempts.' }, headers: { 'retry-after': '1' } };
    return this.api.handle(asked);
  }

  /** The destinations' own pages are not in the description that is at hand. */
  private undescribed({ method, path }: Asked): Answered {
    const [, uuid] = /^\/api\/v1\/destinations\/([^/]+)$/.exec(path) ?? [];
    if (method !== 'DELETE' || !uuid) return { status: 404, body: { message: 'Not found.' } };
    if (!this.state.destinations.has(uuid)) return notFound('Destination');
    if (this.placed().some(({ destinationUuid }) => destinationUuid === uuid)) return { status: 409, body: { message: 'Destination has attached resources, detach first.' } };
    this.state.destinations.delete(uuid);
    return { status: 200, body: { message: 'Deleted.' } };
  }

  private operations(): Record<string, Operation> {
    return { ...this.places(), ...this.applications(), ...this.deployments(), ...this.stacks.operations() };
  }

  private places(): Record<string, Operation> {
    const { state } = this;
    const empty = (uuid: string) => !this.placed().some(({ projectUuid }) => projectUuid === uuid);
    return {
      'list-servers': () => ok(this.servers.map((server) => ({ ...server, id: 0, ip: '127.0.0.1', user: 'root', port: 22, description: '', is_reachable: state.isReachable, is_usable: state.isReachable, settings: { is_reachable: state.isReachable, is_build_server: false } }))),
      'get-resources-by-server-uuid': () => ok([...[...state.apps.values()].map(({ id, uuid, fields, status, createdAt }) => ({ id, uuid, name: String(fields['name']), type: 'application', created_at: createdAt, updated_at: createdAt, status })), ...this.stacks.resources()]),
      'list-projects': () => ok([...state.projects.values()].map(({ uuid, id, name, description }) => ({ id, uuid, name, description: description ?? '' }))),
      'get-project-by-uuid': ({ params }) => {
        const found = state.projects.get(params['uuid']!);
        return found ? ok({ ...found, description: found.description ?? '', environments: found.environments.map((e) => ({ ...e, project_id: found.id, description: '', created_at: '', updated_at: '' })) }) : notFound('Project');
      },
      'create-project': ({ body }) => {
        const { name, description, ...extra } = body as { name: string; description?: string };
        const errors = { ...(description !== undefined && !PROJECT_TEXT.test(description) && { description: ['The description field format is invalid.'] }), ...Object.fromEntries(Object.keys(extra).map((field) => [field, ['This field is not allowed.']])) };
        if (Object.keys(errors).length > 0) return invalid(errors);
        const uuid = publicId();
        state.projects.set(uuid, { uuid, id: state.nextId(), name, description: description ?? null, environments: [{ uuid: publicId(), id: state.nextId(), name: 'production' }] });
        return { status: 201, body: { uuid } };
      },
      'delete-project-by-uuid': ({ params }) => {
        const uuid = params['uuid']!;
        if (!state.projects.has(uuid)) return notFound('Project');
        if (!empty(uuid)) return { status: 400, body: { message: 'Project has resources, so it cannot be deleted.' } };
        state.projects.delete(uuid);
        return ok({ message: 'Project deleted.' });
      },
      'list-server-destinations': ({ params }) => {
        const serverUuid = params['server_uuid']!;
        return this.hasServer(serverUuid) ? ok([...state.destinations.values()].map((one) => ({ ...one, type: 'standalone', server_uuid: serverUuid }))) : notFound('Server');
      },
      'create-server-destination': ({ params, body }) => {
        const { name, network } = body as { name: string; network: string };
        if (!this.hasServer(params['server_uuid']!)) return notFound('Server');
        if ([...state.destinations.values()].some((one) => one.network === network)) return { status: 409, body: { message: 'A destination with this network already exists on the server.' } };
        const uuid = publicId();
        state.destinations.set(uuid, { uuid, name, network });
        return { status: 201, body: { uuid, name, network, type: 'standalone', server_uuid: params['server_uuid']! } };
      },
    };
  }

  private applications(): Record<string, Operation> {
    const { state } = this;
    const found = (work: (app: AppRow, asked: Parameters<Operation>[0]) => Answered): Operation => (asked) => {
      const app = state.apps.get(asked.params['uuid']!);
      return app ? work(app, asked) : notFound('Application');
    };
    return {
      'list-applications': () => ok([...state.apps.values()].map(shown)),
      'get-application-by-uuid': found((app) => ok(shown(app))),
      'create-dockerimage-application': ({ body }) => this.create(body as Record<string, unknown>),
      'update-application-by-uuid': found((app, { body }) => {
        Object.assign(app.fields, body);
        return ok({ uuid: app.uuid });
      }),
      'delete-application-by-uuid': found((app, { query }) => {
        if (flag(query['docker_cleanup'])) state.prunes++;
        state.remove(app, flag(query['delete_volumes']));
        return ok({ message: 'Application deletion request queued.' });
      }),
      'stop-application-by-uuid': found((app, { query }) => {
        if (flag(query['docker_cleanup'])) state.prunes++;
        state.stop(app);
        return ok({ message: 'Application stopping request queued.' });
      }),
      'get-application-logs-by-uuid': found((app) => {
        const container = state.containers.get(app.uuid);
        return container ? ok({ logs: container.log.join('\n') }) : { status: 400, body: { message: 'Application is not running.' } };
      }),
      'update-envs-by-application-uuid': found((app, { body }) => {
        const data = (body as { data: { key: string; value?: string; is_literal?: boolean; is_preview?: boolean }[] }).data;
        if (data.length === 0) return { status: 400, body: { message: 'Bulk data is required.' } };
        for (const { key, value = '', is_literal = false, is_preview = false } of data) {
          const row = app.envs.find((one) => one.key === key && one.is_preview === is_preview);
          if (row) Object.assign(row, { value, is_literal });
          else app.envs.push(...[is_preview, true].map((preview) => ({ key, value, is_literal, is_preview: preview, uuid: publicId(), id: state.nextId() })));
        }
        return { status: 201, body: app.envs.filter((one) => !one.is_preview).map(({ key, uuid, id, is_literal }) => ({ key, uuid, id, is_literal })) };
      }),
    };
  }

  private deployments(): Record<string, Operation> {
    const { state } = this;
    const seen = ({ id, uuid, appUuid, status, log }: DeploymentRow, { headers }: Asked) => ({
      id, deployment_uuid: uuid, application_id: appUuid, status, pull_request_id: 0, commit: 'HEAD',
      ...(headers['authorization'] === `Bearer ${COOLIFY_TOKEN}` && { logs: JSON.stringify(log) }),
    });
    return {
      'deploy-by-tag-or-uuid': ({ query }) => {
        const app = state.apps.get(query['uuid'] ?? '');
        if (!app) return { status: 404, body: { message: 'No resources found.' } };
        const queued = state.queue(app);
        if (!queued) return { status: 429, body: { message: 'Deployment queue is full. Please wait for existing deployments to complete.' }, headers: { 'retry-after': '1' } };
        return ok({ deployments: [{ message: queued.message, resource_uuid: app.uuid, deployment_uuid: queued.told }] });
      },
      'get-deployment-by-uuid': (asked) => {
        const row = state.deployments.find(({ uuid }) => uuid === asked.params['uuid']);
        return row ? ok(seen(row, asked)) : notFound('Deployment');
      },
      'list-deployments-by-app-uuid': (asked) => {
        const rows = state.deployments.filter(({ appUuid }) => appUuid === asked.params['uuid']).reverse();
        return ok({ count: rows.length, deployments: rows.slice(0, Number(asked.query['take'] ?? 10)).map((row) => seen(row, asked)) });
      },
    };
  }

  private create(body: Record<string, unknown>): Answered {
    const { state } = this;
    const place = this.placeOf(body);
    if ('status' in place) return place;
    const mappings = body['ports_mappings'] as string | undefined;
    if (mappings !== undefined && !/^(\d+:\d+)(,\d+:\d+)*$/.test(mappings)) return invalid({ ports_mappings: ['The ports mappings field format is invalid.'] });
    const path = body['health_check_path'] as string | undefined;
    if (path !== undefined && !/^[a-zA-Z0-9/\-_.~%,;]+$/.test(path)) return invalid({ health_check_path: ['The health check path field format is invalid.'] });
    const image = String(body['docker_registry_image_name']);
    if (/:sha256?:/.test(image)) return invalid({ docker_registry_image_name: ['The docker registry image name format is invalid. Use image:tag or image@sha256:hash format.'] });
    const domains = body['domains'] as string | undefined;
    const rival = [...state.apps.values()].find(({ fqdn }) => domains !== undefined && fqdn === domains);
    if (rival && !body['force_domain_override']) {
      const conflict = { domain: domains!, resource_name: String(rival.fields['name']), resource_uuid: rival.uuid, resource_type: 'application', message: `Domain ${domains!} is already in use by application '${String(rival.fields['name'])}'` };
      return { status: 409, body: { message: 'Domain conflicts detected. Use force_domain_override=true to proceed.', conflicts: [conflict], warning: 'Using the same domain for multiple resources can cause routing conflicts and unpredictable behavior.' } };
    }
    const uuid = publicId();
    const fqdn = domains ?? (body['autogenerate_domain'] === false ? null : `http://${uuid}.127.0.0.1.sslip.io`);
    const app: AppRow = { id: state.nextId(), uuid, ...place, fields: { health_check_enabled: false, ...body }, status: 'exited:unhealthy', fqdn, envs: [], volumes: [], createdAt: new Date().toISOString() };
    state.apps.set(uuid, app);
    if (body['instant_deploy'] === true) state.queue(app);
    return { status: 201, body: { uuid, domains: fqdn } };
  }

  private placed(): Place[] {
    return [...this.state.apps.values(), ...this.stacks.rows.values()];
  }

  private placeOf(body: Record<string, unknown>): Place | Answered {
    const { projects, destinations } = this.state;
    const project = projects.get(String(body['project_uuid']));
    if (!project) return notFound('Project');
    if (!project.environments.some(({ name, uuid }) => name === body['environment_name'] || uuid === body['environment_uuid'])) return notFound('Environment');
    if (!this.hasServer(String(body['server_uuid']))) return notFound('Server');
    const destinationUuid = (body['destination_uuid'] as string | undefined) ?? '';
    if (destinations.size > 1 && destinationUuid === '') return { status: 400, body: { message: 'Server has multiple destinations and you do not set destination_uuid.' } };
    if (destinations.size > 1 && !destinations.has(destinationUuid)) return invalid({ destination_uuid: ['Provided destination_uuid does not belong to the specified server.'] });
    return { projectUuid: project.uuid, destinationUuid };
  }

  private hasServer(uuid: string): boolean {
    return this.servers.some((server) => server.uuid === uuid);
  }
}

function shown({ id, uuid, fields, status, fqdn, createdAt }: AppRow): Record<string, unknown> {
  const { name, description = null, docker_registry_image_name, docker_registry_image_tag = 'latest', ports_exposes, ports_mappings = null, health_check_enabled, health_check_path = '/', limits_memory, limits_cpus } = fields;
  return { id, uuid, name, description, fqdn, status, build_pack: 'dockerimage', docker_registry_image_name, docker_registry_image_tag, ports_exposes, ports_mappings, health_check_enabled, health_check_path, limits_memory, limits_cpus, created_at: createdAt, updated_at: createdAt };
}

/** Laravel's boolean(): what is not said is the default, here always true. */
const flag = (value: string | undefined): boolean => value === undefined || ['1', 'true', 'on', 'yes'].includes(value);
const ok = (body: unknown): Answered => ({ status: 200, body });
const notFound = (what: string): Answered => ({ status: 404, body: { message: `${what} not found.` } });
const invalid = (errors: Record<string, string[]>): Answered => ({ status: 422, body: { message: 'Validation failed.', errors } });
