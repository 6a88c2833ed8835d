import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import { databaseUser, wordpressDatabase } from '#domain/naming/naming.js';

/** So many pages at once may hold a connection for one site. */
const CONNECTIONS_PER_USER = 100;

/** Answers 0 once the server takes connections; the one that an image starts only to set itself up answers 1. */
export const READY_SQL = 'SELECT @@skip_networking;';

/** How many databases there are that are not the server's own. */
export const COUNT_SQL = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys');";

/** Database and user as they shall be, whatever is there. In a grant, `_` in a database's name stands for any character unless it is escaped. */
export function ensureSql(spec: DatabaseSpec, password: string): string {
  const [database, user] = [identifier(wordpressDatabase(dataOf(spec))), userOf(spec)];
  return [
    `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;`,
    `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY ${text(password)};`,
    `ALTER USER ${user} IDENTIFIED BY ${text(password)} WITH MAX_USER_CONNECTIONS ${CONNECTIONS_PER_USER} ACCOUNT UNLOCK;`,
    `GRANT ALL ON ${database.replaceAll('_', '\\_')}.* TO ${user};`,
  ].join('\n');
}

/** Database and user as they shall be, with nothing in it: who is still at work on it for an earlier call is sent away first. */
export function freshSql(spec: DatabaseSpec, password: string): string {
  return [ensureSql(spec, password), `KILL USER ${userOf(spec)};`, `DROP DATABASE IF EXISTS ${identifier(wordpressDatabase(dataOf(spec)))};`, ensureSql(spec, password)].join('\n');
}

/** Nothing of it is left, or with `keepData` the database alone, which nobody can open. */
export function removeSql(spec: DatabaseSpec, keepData: boolean): string {
  if (keepData) return `ALTER USER IF EXISTS ${userOf(spec)} ACCOUNT LOCK;`;
  return `DROP USER IF EXISTS ${userOf(spec)};\nDROP DATABASE IF EXISTS ${identifier(wordpressDatabase(dataOf(spec)))};`;
}

const dataOf = (spec: DatabaseSpec): string => spec.dataId || spec.siteId;
/** Reached through the server's socket, so never from another host. */
const userOf = (spec: DatabaseSpec): string => `${identifier(databaseUser(dataOf(spec)))}@localhost`;

const identifier = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const text = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
