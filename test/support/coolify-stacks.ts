import type { Answered, Operation } from './described-api.js';
import { planned, variablesIn, type MakeStack, type Stack } from './coolify-compose.js';
import { publicId, type CoolifyState, type EnvRow } from './coolify-state.js';

/** Where something is made. */
export interface Place {
  readonly projectUuid: string;
  readonly destinationUuid: string;
}

interface StackRow extends Place {
  readonly id: number;
  readonly uuid: string;
  name: string;
  description: string;
  compose: string;
  readonly envs: EnvRow[];
  /** As Coolify saw it last. */
  status: string;
  readonly stack: Stack;
  readonly createdAt: string;
  /** What was queued for it is done one after the other. */
  queue: Promise<unknown>;
}

interface StackBody {
  readonly name?: string;
  readonly description?: string;
  readonly docker_compose_raw?: string;
  readonly instant_deploy?: boolean;
}

const FIELDS = ['name', 'description', 'project_uuid', 'environment_name', 'environment_uuid', 'server_uuid', 'destination_uuid', 'instant_deploy', 'docker_compose_raw'];

/** The services of a Coolify, as App\Http\Controllers\Api\ServicesController and App\Actions\Service of its version 4.3 have them. */
export class CoolifyStacks {
  readonly rows = new Map<string, StackRow>();
  /** Of everything that was ever made here, by the service's uuid: what Coolify has forgotten may be there still. */
  private readonly stacks = new Map<string, Stack>();
  /** So many of the next starts and restarts are answered, and nothing happens. */
  lostStarts = 0;
  private isClosed = false;

  constructor(
    private readonly state: CoolifyState,
    readonly makeStack: MakeStack,
    private readonly placeOf: (body: Record<string, unknown>) => Place | Answered,
  ) {}

  async leftovers(): Promise<string[]> {
    const parts = await Promise.all([...this.stacks.values()].map((stack) => stack.left()));
    return [...[...this.rows.values()].map(({ name }) => `service ${name}`), ...parts.flat()];
  }

  /** What is queued is let go; what runs is waited for. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.rows.values()].map(({ queue }) => queue));
    for (const stack of this.stacks.values()) await stack.down().then(() => stack.forget(true, true));
  }

  resources(): object[] {
    return [...this.rows.values()].map((row) => {
      void this.look(row);
      return { id: row.id, uuid: row.uuid, name: row.name, type: 'service', created_at: row.createdAt, updated_at: row.createdAt, status: row.status };
    });
  }

  operations(): Record<string, Operation> {
    const found = (work: (row: StackRow, asked: Parameters<Operation>[0]) => Answered | Promise<Answered>): Operation => (asked) => {
      const row = this.rows.get(asked.params['uuid']!);
      return row ? work(row, asked) : { status: 404, body: { message: 'Service not found.' } };
    };
    return {
      'list-services': () => ok([...this.rows.values()].map(shown)),
      'get-service-by-uuid': found((row) => ok(shown(row))),
      'create-service': ({ body }) => this.create(body as StackBody & Record<string, unknown>),
      'update-service-by-uuid': found((row, { body }) => this.update(row, body as StackBody)),
      'update-envs-by-service-uuid': found((row, { body }) => this.setEnvs(row, (body as { data: { key: string; value?: string; is_literal?: boolean }[] }).data)),
      'start-service-by-uuid': found((row) => {
        if (row.status.includes('running')) return { status: 400, body: { message: 'Service is already running.' } };
        if (!this.isLost()) this.start(row);
        return ok({ message: 'Service starting request queued.' });
      }),
      'restart-service-by-uuid': found((row) => {
        if (this.isLost()) return ok({ message: 'Service restarting request queued.' });
        this.queue(row, () => row.stack.down());
        this.start(row);
        return ok({ message: 'Service restarting request queued.' });
      }),
      'stop-service-by-uuid': found((row, { query }) => {
        if (row.status.includes('exited') || row.status.includes('stopped')) return { status: 400, body: { message: 'Service is already stopped.' } };
        if (flag(query['docker_cleanup'])) this.state.prunes++;
        this.queue(row, () => row.stack.down());
        return ok({ message: 'Service stopping request queued.' });
      }),
      'delete-service-by-uuid': found((row, { query }) => {
        if (flag(query['docker_cleanup'])) this.state.prunes++;
        this.queue(row, async () => {
          await row.stack.down();
          await row.stack.forget(flag(query['delete_volumes']), flag(query['delete_connected_networks']));
          this.rows.delete(row.uuid);
        });
        return ok({ message: 'Service deletion request queued.' });
      }),
      'get-service-logs-by-uuid': found(async ({ stack }, { query }) => {
        const log = await stack.log(query['sub_service_name'] ?? '');
        return log === undefined ? { status: 400, body: { message: 'Service is not running.' } } : ok({ logs: log.split('\n').slice(-Number(query['lines'] ?? 100)).join('\n') });
      }),
    };
  }

  private create(body: StackBody & Record<string, unknown>): Answered {
    const errors = wrongWith(body);
    if (errors) return errors;
    if (body.docker_compose_raw === undefined) return { status: 422, body: { message: 'Validation failed.', errors: { type: ['The type field is required.'] } } };
    const place = this.placeOf(body);
    if ('status' in place) return place;
    const uuid = publicId();
    const row: StackRow = { ...place, id: this.state.nextId(), uuid, name: body.name ?? uuid, description: body.description ?? '', compose: textOf(body.docker_compose_raw), envs: [], status: 'exited', stack: this.stackOf(uuid), createdAt: new Date().toISOString(), queue: Promise.resolve() };
    this.rows.set(uuid, row);
    this.declare(row);
    if (body.instant_deploy) this.start(row);
    return { status: 201, body: { uuid, domains: [] } };
  }

  private stackOf(uuid: string): Stack {
    const stack = this.makeStack(uuid);
    this.stacks.set(uuid, stack);
    return stack;
  }

  private update(row: StackRow, body: StackBody): Answered {
    const errors = wrongWith(body);
    if (errors) return errors;
    if (body.name !== undefined) row.name = body.name;
    if (body.description !== undefined) row.description = body.description;
    if (body.docker_compose_raw !== undefined) row.compose = textOf(body.docker_compose_raw);
    this.declare(row);
    if (body.instant_deploy) this.start(row);
    return ok({ uuid: row.uuid, domains: [] });
  }

  private setEnvs(row: StackRow, data: readonly { key: string; value?: string; is_literal?: boolean }[]): Answered {
    if (data.length === 0) return { status: 400, body: { message: 'Bulk data is required.' } };
    for (const { key, value = '', is_literal = false } of data) {
      const known = row.envs.find((one) => one.key === key);
      if (known) Object.assign(known, { value, is_literal });
      else row.envs.push({ key, value, is_literal, is_preview: false, uuid: publicId(), id: this.state.nextId() });
    }
    return { status: 201, body: row.envs.map(({ key, uuid, id, is_literal }) => ({ key, uuid, id, is_literal })) };
  }

  /** What a compose file asks for becomes a variable without a value. */
  private declare(row: StackRow): void {
    for (const key of variablesIn(row.compose)) if (!row.envs.some((one) => one.key === key)) row.envs.push({ key, value: '', is_literal: false, is_preview: false, uuid: publicId(), id: this.state.nextId() });
  }

  private isLost(): boolean {
    return this.lostStarts > 0 && this.lostStarts-- > 0;
  }

  private start(row: StackRow): void {
    this.queue(row, () => row.stack.up(planned(row.compose, Object.fromEntries(row.envs.map(({ key, value }) => [key, value])))));
  }

  /** What goes wrong is in a log of Coolify's own, which its API does not show. */
  private queue(row: StackRow, work: () => Promise<void>): void {
    row.queue = row.queue.then(async () => {
      await pause(this.state.times.workMs);
      if (this.state.isReachable && !this.isClosed) await work().catch(() => undefined);
      void this.look(row);
    });
  }

  private async look(row: StackRow): Promise<void> {
    await pause(this.state.times.lagMs);
    if (this.state.isReachable) row.status = await row.stack.status();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const textOf = (encoded: string): string => Buffer.from(encoded, 'base64').toString();
const ok = (body: unknown): Answered => ({ status: 200, body });
/** Laravel's boolean(): what is not said is the default, here always true. */
const flag = (value: string | undefined): boolean => value === undefined || ['1', 'true', 'on', 'yes'].includes(value);

function wrongWith(body: StackBody): Answered | undefined {
  const errors: Record<string, string[]> = Object.fromEntries(Object.keys(body).filter((field) => !FIELDS.includes(field)).map((field) => [field, ['This field is not allowed.']]));
  const { docker_compose_raw: raw } = body;
  if (raw !== undefined && Buffer.from(raw, 'base64').toString('base64') !== raw) errors['docker_compose_raw'] = ['The docker_compose_raw should be base64 encoded.'];
  return Object.keys(errors).length > 0 ? { status: 422, body: { message: 'Validation failed.', errors } } : undefined;
}

function shown({ id, uuid, name, description, compose, createdAt }: StackRow): object {
  return { id, uuid, name, description, docker_compose_raw: compose, docker_compose: compose, connect_to_docker_network: false, service_type: '', created_at: createdAt, updated_at: createdAt };
}
