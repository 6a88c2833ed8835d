import type { Readable } from 'node:stream';
import type { DockerOptions } from 'dockerode';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import type { DatabaseSecrets, DatabaseServer, DatabaseSizes } from '../databases.js';
import { databaseUser, wordpressDatabase } from '#domain/naming/naming.js';
import { InTurn } from '../in-turn.js';
import { dumpDatabase, loadDatabase, type Login } from './database-dump.js';
import { serverIdOf, type DatabaseSettings } from './database-requests.js';
import { DatabaseContainer } from './database-server.js';
import { databaseSizes } from './database-sizes.js';
import { Engine } from './engine.js';
import { LABEL } from './requests.js';
import { defaultSettings, type DockerSettings } from './settings.js';
import { COUNT_SQL, ensureSql, freshSql, READY_SQL, removeSql } from './sql.js';

export type DockerDatabasesOptions = Pick<DockerSettings, 'plane'> & Partial<DockerSettings> & {
  /** How to reach the engine; by default DOCKER_HOST, or the local socket. */
  readonly engine?: DockerOptions;
};

/** Databases in MariaDB containers of this host: one that sites share, and one for each project that asks for its own. */
export class DockerDatabases implements DatabaseServer {
  readonly name = 'docker';
  private readonly engine: Engine;
  private readonly settings: DatabaseSettings;
  private readonly turns = new InTurn();

  constructor({ engine, ...settings }: DockerDatabasesOptions) {
    this.engine = new Engine(engine);
    this.settings = { ...defaultSettings, ...settings };
  }

  async ensure(spec: DatabaseSpec, { rootPassword, password }: DatabaseSecrets, signal?: AbortSignal): Promise<void> {
    await this.onServer(spec, (server) => server.query(rootPassword, ensureSql(spec, password), signal));
  }

  async wake(spec: DatabaseSpec, rootPassword: () => Promise<string>, signal?: AbortSignal): Promise<void> {
    await this.onServer(spec, async (server) => {
      if (!(await server.exists(signal)) || (await server.isRunning(signal))) return;
      await server.query(await rootPassword(), READY_SQL, signal);
    });
  }

  async remove(spec: DatabaseSpec, keepData: boolean, rootPassword: () => Promise<string>, signal?: AbortSignal): Promise<void> {
    await this.onServer(spec, async (server) => {
      if (!(await server.exists(signal))) return;
      const sql = `${removeSql(spec, keepData)}\n${COUNT_SQL}`;
      const [left] = await server.query(await rootPassword(), sql, signal).catch(async (error: unknown) => {
        if (await server.holds(wordpressDatabase(spec.dataId || spec.siteId), signal)) throw error;
        return [];
      });
      if (left === '0') await server.remove(signal);
    });
  }

  async sizes(signal?: AbortSignal): Promise<DatabaseSizes> {
    const ours = { [LABEL.plane]: this.settings.plane };
    const [servers, volumes] = await Promise.all([this.engine.containers({ ...ours, [LABEL.role]: 'database' }, signal), this.engine.volumes({ ...ours, [LABEL.role]: 'database-data' }, signal)]);
    const running = new Map(servers.flatMap(({ Id, State, Labels }) => (State === 'running' ? [[Labels[LABEL.server], Id] as const] : [])));
    const sizes = await Promise.all(volumes.map(async ({ Labels }) => {
      const id = running.get(Labels[LABEL.server]);
      return id === undefined ? undefined : databaseSizes(this.engine, id, signal);
    }));
    return { bytes: new Map(sizes.flatMap((known) => [...(known ?? [])])), isWhole: sizes.every((known) => known !== undefined) };
  }

  async export(spec: DatabaseSpec, { rootPassword, password }: DatabaseSecrets, take: (sql: Readable) => Promise<void>, signal?: AbortSignal): Promise<void> {
    const container = await this.onServer(spec, (server) => server.prepare(rootPassword, READY_SQL, signal));
    await dumpDatabase(this.engine, loginOf(spec, container, password), take, signal);
  }

  async import(spec: DatabaseSpec, { rootPassword, password }: DatabaseSecrets, sql: Readable, signal?: AbortSignal): Promise<void> {
    const container = await this.onServer(spec, (server) => server.prepare(rootPassword, freshSql(spec, password), signal));
    await loadDatabase(this.engine, loginOf(spec, container, password), sql, signal);
  }

  /** Servers are made, asked and removed one call at a time; what takes long (dumps) is done outside of a turn. */
  private onServer<T>(spec: DatabaseSpec, work: (server: DatabaseContainer) => Promise<T>): Promise<T> {
    const serverId = serverIdOf(this.settings, spec);
    return this.turns.run(serverId, () => work(new DatabaseContainer(this.engine, this.settings, serverId)));
  }
}

function loginOf({ dataId, siteId }: DatabaseSpec, container: string, password: string): Login {
  const owner = dataId || siteId;
  return { container, database: wordpressDatabase(owner), user: databaseUser(owner), password };
}
