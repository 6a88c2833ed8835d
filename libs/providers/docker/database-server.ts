import { setTimeout as sleep } from 'node:timers/promises';
import { ProviderError } from '../provider-error.js';
import { DATA_FOLDER, databaseParts, databaseRequest, databaseVolumeRequest, passwordHash, ROOT_HASH_FILE, serverLabels, SOCKET, type DatabaseSettings } from './database-requests.js';
import type { Engine } from './engine.js';
import { imageHere } from './images.js';
import { LABEL } from './requests.js';
import { putSecret } from './secret-files.js';
import { READY_SQL } from './sql.js';

/** Signs in as root with the password from the first line of its input; what follows is SQL. So the password is in nobody's list of processes. */
const CLIENT = ['sh', '-c', `IFS= read -r MYSQL_PWD && export MYSQL_PWD && exec mariadb --no-defaults --user=root --socket=${SOCKET} --batch --skip-column-names`];

/** One MariaDB container with its volumes. The caller sees to it that one server is worked on once at a time. */
export class DatabaseContainer {
  constructor(
    private readonly engine: Engine,
    private readonly settings: DatabaseSettings,
    private readonly serverId: string,
  ) {}

  /** Whether there is anything of it, at least data of it. */
  async exists(signal?: AbortSignal): Promise<boolean> {
    return (await this.container(signal)) !== undefined || (await this.volumes(signal)).length > 0;
  }

  async isRunning(signal?: AbortSignal): Promise<boolean> {
    return (await this.container(signal))?.State === 'running';
  }

  /** Runs SQL as root and answers the rows; a server that is not up is brought up first, with this password if it is new. */
  async query(rootPassword: string, sql: string, signal?: AbortSignal): Promise<string[]> {
    const running = await this.container(signal);
    if (running?.State === 'running') {
      const first = await this.ask(running.Id, rootPassword, `${READY_SQL}\n${sql}`, signal);
      if (first.rows?.[0] === '0') return first.rows.slice(1);
      const isOld = Date.now() - running.Created * 1000 > this.settings.healthyWithinMs;
      if (first.rows === undefined && !isPassing(first.problem, isOld)) throw this.failure(first.problem);
    }
    const id = await this.bringUp(rootPassword, signal);
    const { rows, problem } = await this.ask(id, rootPassword, sql, signal);
    if (!rows) throw this.failure(problem);
    return rows;
  }

  /** Runs SQL as root, as `query` does, and answers the id of the container that runs it. */
  async prepare(rootPassword: string, sql: string, signal?: AbortSignal): Promise<string> {
    await this.query(rootPassword, sql, signal);
    const running = await this.container(signal);
    if (!running) throw this.failure('it was removed meanwhile.');
    return running.Id;
  }

  /** Whether there is a folder of a database, asked of the engine and not of the server, which may be down. */
  async holds(database: string, signal?: AbortSignal): Promise<boolean> {
    const found = await this.container(signal);
    return !found || this.engine.hasPath(found.Id, `${DATA_FOLDER}/${database}`, signal);
  }

  /** Takes the server and its volumes away. Whoever calls this has seen that it holds no database. */
  async remove(signal?: AbortSignal): Promise<void> {
    const found = await this.container(signal);
    if (found) await this.engine.removeContainer(found.Id, signal);
    for (const { Name } of await this.volumes(signal)) await this.engine.removeVolume(Name, signal);
  }

  /** One that is made here and does not become healthy is taken away again: it holds nothing. */
  private async bringUp(rootPassword: string, signal?: AbortSignal): Promise<string> {
    const found = await this.container(signal);
    if (found) {
      if (found.State !== 'running') await this.start(found.Id, rootPassword, signal);
      await this.ready(found.Id, rootPassword, signal);
      return found.Id;
    }
    const held = await this.volumes(signal);
    const isNew = !held.some(({ Labels }) => Labels[LABEL.role] === 'database-data');
    try {
      const id = await this.create(rootPassword, signal);
      await this.ready(id, rootPassword, signal);
      return id;
    } catch (error) {
      if (isNew) await this.remove();
      throw error;
    }
  }

  private async create(rootPassword: string, signal?: AbortSignal): Promise<string> {
    await imageHere(this.engine, this.settings.database.image, signal);
    for (const part of databaseParts) await this.engine.createVolume(databaseVolumeRequest(this.settings, this.serverId, part), signal);
    const id = await this.engine.createContainer(databaseRequest(this.settings, this.serverId), signal);
    await this.start(id, rootPassword, signal);
    return id;
  }

  private async start(id: string, rootPassword: string, signal?: AbortSignal): Promise<void> {
    await putSecret(this.engine, id, Number(this.settings.database.user.split(':')[1]), ROOT_HASH_FILE, passwordHash(rootPassword), signal);
    await this.engine.startContainer(id, signal);
  }

  private async ready(id: string, rootPassword: string, signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + this.settings.healthyWithinMs;
    const restarts = (await this.engine.inspectContainer(id, signal))?.RestartCount ?? 0;
    for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
      const inspected = await this.engine.inspectContainer(id, signal);
      if (!inspected?.State.Running || inspected.State.Restarting || inspected.RestartCount > restarts) throw await this.ended(id, rootPassword, 'ended instead of serving', signal);
      const { rows, problem } = await this.ask(id, rootPassword, READY_SQL, signal);
      if (rows?.[0] === '0') return;
      if (Date.now() + wait > deadline) throw await this.ended(id, rootPassword, `did not become healthy within ${this.settings.healthyWithinMs / 1000} s: ${problem}`, signal);
      await sleep(wait, undefined, { signal });
    }
  }

  private async ask(id: string, rootPassword: string, sql: string, signal?: AbortSignal): Promise<{ rows?: string[]; problem: string }> {
    const { exitCode, stdout, stderr } = await this.engine.exec(id, CLIENT, `${rootPassword}\n${sql}\n`, signal);
    if (exitCode === 0) return { rows: stdout.split('\n').filter(Boolean), problem: '' };
    return { problem: stderr.trim().replace(/BY '[^']*'?/g, "BY '***'") || `its client ended with ${exitCode}` };
  }

  private async ended(id: string, rootPassword: string, what: string, signal?: AbortSignal): Promise<ProviderError> {
    const log = await this.engine.lastLog(id, [rootPassword, passwordHash(rootPassword)], signal);
    return new ProviderError(`The database server (${this.settings.database.image}) ${what}. ${log === '' ? 'It wrote nothing to its log.' : `Its last log lines:\n${log}`}`, false);
  }

  private failure(problem: string): ProviderError {
    return new ProviderError(`The database server (${this.settings.database.image}) refuses: ${problem}`, false);
  }

  private async container(signal?: AbortSignal) {
    return (await this.engine.containers({ ...serverLabels(this.settings, this.serverId), [LABEL.role]: 'database' }, signal))[0];
  }

  private volumes(signal?: AbortSignal) {
    return this.engine.volumes(serverLabels(this.settings, this.serverId), signal);
  }
}

/** No socket yet, no answer, or, while the server is new, an account that its image has still to set up. */
function isPassing(problem: string, isOld: boolean): boolean {
  return /ERROR (2002|2003|2006|2013)\b|not running/.test(problem) || (!isOld && /ERROR 1045\b/.test(problem));
}
