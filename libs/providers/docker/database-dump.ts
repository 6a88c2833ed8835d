import { PassThrough, Readable, Transform, Writable, type TransformCallback } from 'node:stream';
import { ProviderError } from '../provider-error.js';
import { SOCKET } from './database-requests.js';
import type { Engine } from './engine.js';

/** A database in a server's container, and the user who may do everything in it. */
export interface Login {
  readonly container: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** Loading takes longer than dumping: indexes are made anew. */
const LOAD_MS = 12 * 3_600_000;
const LAST_WORDS = 200;

/**
 * Everything in the database as SQL, of one moment for tables with transactions. The password is the first line of its input; the input's end before that
 * of the dump means that nobody listens any more, and ends it.
 */
const DUMP = `IFS= read -r MYSQL_PWD && export MYSQL_PWD || exit 1
exec 3<&0
"$(command -v mariadb-dump || command -v mysqldump)" --no-defaults --socket=${SOCKET} --user="$1" --single-transaction --quick --hex-blob \\
  --routines --events --triggers --no-tablespaces --default-character-set=utf8mb4 --max-allowed-packet=1G "$2" </dev/null 3<&- & dump=$!
(IFS= read -r _ <&3; kill "$dump") >/dev/null 2>&1 & watch=$!
wait "$dump"; code=$?
kill "$watch"
exit "$code"`;

/**
 * Runs a dump as the user whose database it fills: who wrote what is in it could do no more. --binary-mode keeps the client from taking lines of it for
 * its own commands, of which one starts programs. Views, triggers and routines become the user's own, for in its name they ran before. What is left of the
 * input after an error is read to its end, so that the error can be told.
 */
const LOAD = `IFS= read -r MYSQL_PWD && export MYSQL_PWD || exit 1
LC_ALL=C sed -E 's,^(/\\*!50003 CREATE\\*/ /\\*!50017 |/\\*!50106 CREATE\\*/ /\\*!50117 |/\\*!50013 |CREATE )DEFINER=\`[^\`]*\`@\`[^\`]*\`,\\1,' |
  "$(command -v mariadb || command -v mysql)" --no-defaults --socket=${SOCKET} --user="$1" --default-character-set=utf8mb4 --max-allowed-packet=1G --binary-mode --skip-reconnect --batch "$2"
code=$?
cat >/dev/null
exit "$code"`;

/** Hands out a database as SQL, and returns once it was seen to be whole. */
export async function dumpDatabase(engine: Engine, login: Login, take: (sql: Readable) => Promise<void>, signal?: AbortSignal): Promise<void> {
  const [stdin, sql] = [new PassThrough(), new LastWords()];
  stdin.write(`${login.password}\n`);
  sql.on('error', () => undefined);
  let first: unknown;
  const noted = async <T>(work: Promise<T>): Promise<T> => work.catch((error: unknown) => {
    first ??= error;
    sql.destroy(error as Error);
    throw error;
  });
  const [ended, taken] = await Promise.allSettled([noted(engine.pipe(login.container, argv(DUMP, login), { stdin, stdout: sql }, signal)), noted(take(sql))]);
  if (ended.status === 'rejected' || taken.status === 'rejected') throw first;
  const { exitCode, stderr } = ended.value;
  if (exitCode !== 0) throw failure('The database could not be dumped', ended.value);
  if (!sql.isWhole()) throw new ProviderError(`The dump of the database ended before it was whole: its last line is missing. ${reasonIn(stderr)}`, true);
}

/** Fills an empty database with what a dump holds. */
export async function loadDatabase(engine: Engine, login: Login, sql: Readable, signal?: AbortSignal): Promise<void> {
  const stdin = Readable.from((async function* () {
    yield Buffer.from(`${login.password}\n`);
    yield* sql as AsyncIterable<Buffer>;
  })());
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ended = await engine.pipe(login.container, argv(LOAD, login), { stdin, stdout }, signal, LOAD_MS);
  if (ended.exitCode !== 0) throw failure('The database of the backup could not be loaded', ended);
}

const argv = (script: string, { user, database }: Login): string[] => ['sh', '-c', script, 'sh', user, database];

/** A server that went away, or a client that was killed, may do better the next time. */
function failure(what: string, { exitCode, stderr }: { exitCode: number; stderr: string }): ProviderError {
  const reason = reasonIn(stderr);
  return new ProviderError(`${what} (exit code ${exitCode}): ${reason}`, exitCode > 128 || /\berror:? (2002|2003|2006|2013)\b/i.test(reason));
}

/** The last complaint alone: before it the client repeats the statement, which is the site's data and nobody's to read in an error. */
function reasonIn(stderr: string): string {
  return stderr.split('\n').findLast((line) => /^(ERROR |\S*(mariadb|mysql)\S*: |sh: )/.test(line)) ?? 'it said nothing.';
}

/** Passes a dump on and remembers its end. */
class LastWords extends Transform {
  private last = '';

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.last = (this.last + chunk.subarray(-LAST_WORDS).toString('latin1')).slice(-LAST_WORDS);
    done(null, chunk);
  }

  /** A dump says in its last line that it is one. */
  isWhole(): boolean {
    return /\n-- Dump completed[^\n]*\n$/.test(this.last);
  }
}
