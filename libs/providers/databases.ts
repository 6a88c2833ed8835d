import type { Readable } from 'node:stream';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';

/** What a database server needs that no spec may hold; opened by the vault for one call and never written down. */
export interface DatabaseSecrets {
  /** Of the server's administrator; it is given to the server when it is made. */
  readonly rootPassword: string;
  /** Of the site's own user. */
  readonly password: string;
}

/** What databases take of the disk. */
export interface DatabaseSizes {
  /** By the name of the database. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Every server has said what it holds. Otherwise nothing follows from what is not among them. */
  readonly isWhole: boolean;
}

/**
 * Where sites have their databases. A server is brought up with the first database that it is to hold and goes with the last one; its data is
 * never taken away while it holds any. The name of a database and of its one user follow from `dataId`; the user may do everything in it
 * and nothing elsewhere.
 *
 * Every verb may be called twice, at once, or again after a crash half-way: the outcome is that of one call. A verb that returns has confirmed
 * its effect. A verb that fails throws a ProviderError that names no password.
 */
export interface DatabaseServer {
  /** The runtime whose workloads reach these databases. */
  readonly name: string;

  /** The database is there and its user can sign in with this password; what it holds is left as it is. */
  ensure(spec: DatabaseSpec, secrets: DatabaseSecrets, signal?: AbortSignal): Promise<void>;

  /** The server that a database is on runs, if there is one; nothing is made. The root password is asked for only when it is down. */
  wake(spec: DatabaseSpec, rootPassword: () => Promise<string>, signal?: AbortSignal): Promise<void>;

  /**
   * Neither database nor user are left; with `keepData` the database stays and nobody can sign in. One that is not there is fine; the
   * root password is asked for only when there is a server to sign in to.
   */
  remove(spec: DatabaseSpec, keepData: boolean, rootPassword: () => Promise<string>, signal?: AbortSignal): Promise<void>;

  /** What each database of this plane takes of this host's disk, kept ones too. No server is brought up for it. */
  sizes(signal?: AbortSignal): Promise<DatabaseSizes>;

  /** Hands out what a database holds as SQL of one moment, while it goes on being used; returns once `take` has it and it was seen to be whole. */
  export(spec: DatabaseSpec, secrets: DatabaseSecrets, take: (sql: Readable) => Promise<void>, signal?: AbortSignal): Promise<void>;

  /**
   * The database and its user are there, as by `ensure`, and it holds what an export had, in place of everything that it held. Nothing that it says is done
   * with more rights than those of the user. No workload may use it yet.
   */
  import(spec: DatabaseSpec, secrets: DatabaseSecrets, sql: Readable, signal?: AbortSignal): Promise<void>;
}
