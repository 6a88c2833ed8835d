import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { testImage } from '../../infra/images/recipes.js';
import type { Daemon } from '../../infra/start/daemon.js';
import { Plane as LaunchedPlane } from '../../infra/start/plane.js';
import { freePort } from '../../infra/start/ports.js';
import type { Say } from '../../infra/start/say.js';
import { Api } from './api.js';
import { networkPool } from './pool.js';
import { restMs } from './rest.js';

/** What a plane is made of, and what a test may kill. */
export type Part = 'postgres' | 'nats' | 'control-plane' | 'provisioner';

export interface StartOptions {
  /** Settings beside those of a throw-away plane; they win. */
  readonly env?: NodeJS.ProcessEnv;
  /** A data folder to go on with; it is not removed at the end. */
  readonly folder?: string;
  readonly postgresSettings?: Readonly<Record<string, string>>;
}

interface OperationView extends Record<string, unknown> {
  readonly status: string;
}

/** A whole plane of a test's own, as npm start makes it: embedded servers, two processes, in a temporary folder on free ports. */
export class Plane {
  constructor(
    private readonly launched: LaunchedPlane,
    readonly api: Api,
    private readonly said: readonly string[],
    private readonly remove: () => void,
  ) {}

  get folder(): string {
    return this.launched.settings.HOSTPLANE_DATA;
  }

  get edgePort(): number {
    return this.launched.settings.HOSTPLANE_EDGE_HTTP_PORT;
  }

  get edgeTlsPort(): number {
    return this.launched.settings.HOSTPLANE_EDGE_HTTPS_PORT;
  }

  /** As administrators. */
  get databaseUrl(): string {
    return this.launched.databaseUrl;
  }

  get natsUrl(): string {
    return this.launched.natsUrl;
  }

  daemon(part: Part): Daemon {
    return this.launched.daemon(part);
  }

  /** kill -9 of a part, which the launcher then starts again; resolves once it is ready again. */
  async crash(part: Part): Promise<void> {
    const daemon = this.daemon(part);
    const { pid } = daemon;
    daemon.kill('SIGKILL');
    await daemon.replaced(pid);
  }

  /** kill -9 of a part that stays away until it is started. */
  async kill(part: Part): Promise<void> {
    await this.daemon(part).stop('SIGKILL');
  }

  /** Starts a part that was killed or stopped, with more environment if it needs any. */
  async start(part: Part, env?: NodeJS.ProcessEnv): Promise<void> {
    await this.daemon(part).start(env);
  }

  /** Stops a part in good order. */
  async halt(part: Part): Promise<void> {
    await this.daemon(part).stop();
  }

  /** Polls until an operation has this status; fails with what it has, and with what the processes complained of. */
  async operation(id: string, status: string, timeoutMs = 60_000): Promise<OperationView> {
    let last: OperationView | undefined;
    for (const began = Date.now(); Date.now() < began + timeoutMs; await sleep(restMs(began))) {
      const reply = await this.api.call<OperationView>('GET', `/operations/${id}`).catch(() => undefined);
      last = reply?.body ?? last;
      if (reply?.body.status === status) return reply.body;
      if (reply && ['succeeded', 'failed', 'dropped'].includes(reply.body.status)) break;
    }
    throw new Error(`The operation ${id} is not ${status}: ${JSON.stringify(last, undefined, 1)}\n${await this.complaints()}`);
  }

  /** What somebody wants to know who waited in vain: what the launcher said, the last warnings and errors of the processes, and the last messages of the log. */
  async complaints(lines = 20): Promise<string> {
    const written = (['control-plane', 'provisioner'] as const)
      .map((name) => join(this.folder, 'logs', `${name}.log`))
      .filter((file) => existsSync(file))
      .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter((line) => /"level":"(warn|error|fatal)"|^\S*Error/.test(line)).slice(-lines));
    return [...this.said.slice(-lines), ...written, ...(await this.lastMessages(2 * lines))].join('\n');
  }

  private async lastMessages(count: number): Promise<string[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ line: string }>(`SELECT concat_ws(' ', seq, recorded_at, stream_id, type, left(data, 200)) AS line FROM log.messages ORDER BY seq DESC LIMIT ${count}`);
      return rows.map(({ line }) => line).reverse();
    } catch (error) {
      return [`The log cannot be read: ${(error as Error).message}`];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Stops everything and removes the folder; with HOSTPLANE_KEEP=1 the folder with its logs stays. */
  async stop(): Promise<void> {
    await this.launched.stop();
    this.remove();
  }
}

/** Brings a throw-away plane up. Images are the stand-ins that npm test builds. */
export async function startPlane(options: StartOptions = {}): Promise<Plane> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'hostplane-test-'));
  // The embedded PostgreSQL runs as another user when the tests run as root.
  chmodSync(folder, 0o711);
  const [apiPort, httpPort, httpsPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const env = {
    ...process.env,
    HOSTPLANE_DATA: folder,
    HOSTPLANE_BIND: '127.0.0.1',
    HOSTPLANE_API_PORT: String(apiPort),
    HOSTPLANE_EDGE_HTTP_PORT: String(httpPort),
    HOSTPLANE_EDGE_HTTPS_PORT: String(httpsPort),
    HOSTPLANE_STATIC_IMAGE: testImage('static'),
    HOSTPLANE_NGINX_IMAGE: testImage('nginx'),
    HOSTPLANE_WORDPRESS_IMAGE: testImage('wordpress'),
    HOSTPLANE_DATABASE_IMAGE: testImage('mariadb'),
    HOSTPLANE_NETWORK_POOL: networkPool,
    // What tests break they want to mend themselves; the one about health looks again.
    HOSTPLANE_OBSERVE_SECONDS: '0',
    // An engine counts for one at a time, and reads whole disks for it; the one about what sites write looks again.
    HOSTPLANE_MEASURE_SECONDS: '0',
    ...options.env,
  };
  const said: string[] = [];
  const adminToken = `hp_${randomBytes(32).toString('base64url')}`;
  const launched = new LaunchedPlane({ env, adminToken, say: quiet(said), ...(options.postgresSettings && { postgresSettings: options.postgresSettings }) });
  const remove = () => {
    if (process.env['HOSTPLANE_KEEP'] || options.folder) process.stderr.write(`The data folder of this test's plane is ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true });
  };
  try {
    await launched.start();
  } catch (error) {
    remove();
    throw error;
  }
  return new Plane(launched, new Api(`${launched.apiUrl}/api/v1`, adminToken), said, remove);
}

function quiet(said: string[]): Say {
  const keep = (text = '') => void said.push(text);
  return { step: () => ({ note: () => undefined, done: () => undefined, missing: keep }), line: keep, warn: keep, failed: keep };
}
