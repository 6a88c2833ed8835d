import type { Readable } from 'node:stream';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import type { Cause } from '#contracts/message.js';
import { rootPasswordOf } from '#domain/operation/wordpress-steps.js';
import type { DatabaseSecrets, DatabaseServer } from '#providers/databases.js';
import type { Databases } from './databases.js';
import type { Vault } from './vault.js';

/** A site's database, with what the vault opened for one piece of work on it. */
export class SiteDatabase {
  constructor(
    private readonly server: DatabaseServer,
    private readonly spec: DatabaseSpec,
    private readonly secrets: DatabaseSecrets,
  ) {}

  ensure(signal?: AbortSignal): Promise<void> {
    return this.server.ensure(this.spec, this.secrets, signal);
  }

  export(take: (sql: Readable) => Promise<void>, signal?: AbortSignal): Promise<void> {
    return this.server.export(this.spec, this.secrets, take, signal);
  }

  import(sql: Readable, signal?: AbortSignal): Promise<void> {
    return this.server.import(this.spec, this.secrets, sql, signal);
  }
}

/** Opens the databases of this host's sites. */
export class SiteDatabases {
  constructor(
    private readonly databases: Databases,
    private readonly vault: Vault,
  ) {}

  async open(spec: DatabaseSpec, hostId: string, command: Cause): Promise<SiteDatabase> {
    const server = this.databases.get(spec.runtime);
    const own = { projectId: spec.projectId, name: spec.passwordSecret };
    const [rootPassword, password] = await Promise.all([this.secret(rootPasswordOf(spec, hostId), command), this.secret(own, command)]);
    return new SiteDatabase(server, spec, { rootPassword, password });
  }

  /** What a site is to read from and write to is up; its server may be down since the engine was. */
  async wake(spec: DatabaseSpec, hostId: string, command: Cause, signal?: AbortSignal): Promise<void> {
    await this.databases.get(spec.runtime).wake(spec, () => this.secret(rootPasswordOf(spec, hostId), command), signal);
  }

  async secret({ projectId, name }: { projectId: string; name: string }, command: Cause): Promise<string> {
    const { secrets } = await this.vault.open({ projectId, names: [name], purpose: 'database' }, command);
    return secrets[name]!;
  }
}
