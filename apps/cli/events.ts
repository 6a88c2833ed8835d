import type { Command } from 'commander';
import type { ApiClient } from '#api/client.js';
import { followEvents } from '#api/event-stream.js';
import type { ShownEvent } from '#api/event.js';
import { allPages, apiCommand, wholeNumber, withSession, type Session } from './command.js';
import { UsageError } from './exit-codes.js';
import { printable, renderTime } from './table.js';
import type { Io } from './terminal.js';

export interface EventOptions {
  readonly site?: string;
  readonly operation?: string;
  readonly type?: string;
  readonly since?: string;
  readonly all?: boolean;
  readonly limit?: number;
}

export function addEventCommands(program: Command, io: Io): void {
  const events = program.command('events').description('what happened, from the log');
  for (const [usage, what] of [['tail', 'events as they happen'], ['list', 'events of the past, oldest first']] as const) {
    const command = apiCommand(events, usage, what)
      .option('--site <site>', 'only those of this site')
      .option('--operation <operation>', 'only those of this operation')
      .option('--type <type>', 'only those of this type, or of several with commas between')
      .option('--since <since>', 'after this position, time (2026-11-20T12:00:00Z) or age (90s, 15m, 2h, 7d)')
      .option('--all', "every owner's, with an admin token");
    if (usage === 'list') command.option('--limit <n>', 'how many at most', wholeNumber, 1000).action(withSession(io, listEvents));
    else command.action(withSession(io, tail));
  }
}

async function tail({ client, terminal }: Session, options: EventOptions): Promise<void> {
  const after = options.since === undefined ? undefined : await positionSince(client, options);
  const filter = filterOf(options);
  const onRetry = (error: Error) => terminal.note(`The connection was lost (${error.message}); trying again.`);
  for await (const event of followEvents(client, { filter, after, signal: terminal.io.signal, onRetry })) {
    if (terminal.isJson) terminal.jsonLine(event);
    else terminal.line(renderEvent(event));
  }
}

export async function listEvents({ client, terminal }: Session, options: EventOptions): Promise<void> {
  const after = options.since === undefined ? 0 : await positionSince(client, options);
  const items = await allPages(options.limit ?? 1000, async (cursor, limit) => {
    return (await client.call('streamEvents', { query: { ...filterOf(options), after, cursor, limit, format: 'json' } })).body;
  });
  if (terminal.isJson) terminal.json({ items });
  else for (const event of items) terminal.line(renderEvent(event));
}

function filterOf(options: EventOptions): { siteId?: string; operationId?: string; type?: string; all?: 'true' } {
  return { siteId: options.site, operationId: options.operation, type: options.type, ...(options.all ? { all: 'true' as const } : {}) };
}

/** The position of the last event that is older than asked for. */
async function positionSince(client: ApiClient, options: EventOptions): Promise<number> {
  const since = options.since ?? '0';
  if (/^\d{1,15}$/.test(since)) return Number(since);
  const time = timeOf(since, Date.now());
  for (let cursor: string | undefined; ; ) {
    const query = { ...filterOf(options), order: 'desc' as const, cursor, limit: 200, format: 'json' as const };
    const { items, nextCursor } = (await client.call('streamEvents', { query })).body;
    const older = items.find((event) => Date.parse(event.recordedAt) < time);
    if (older) return older.position;
    if (!nextCursor) return 0;
    cursor = nextCursor;
  }
}

/** A time as milliseconds: RFC 3339, or an age such as 15m. */
export function timeOf(since: string, nowMs: number): number {
  const age = /^(\d{1,6})(s|m|h|d)$/.exec(since);
  if (age) return nowMs - Number(age[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[age[2] as 's' | 'm' | 'h' | 'd'];
  const time = Date.parse(since);
  if (Number.isNaN(time)) throw new UsageError(`--since ${since}: a position, a time such as 2026-11-20T12:00:00Z, or an age such as 15m is needed.`);
  return time;
}

/** One line: position, time, type, what it is about, and what went wrong if something did. */
export function renderEvent(event: ShownEvent): string {
  const { name, step, error, reason, program, exitCode } = event.data as Record<string, string | undefined>;
  const command = program ? `${program}, by ${event.meta.actor}` : event.type === 'CommandEnded' && !error ? `exit code ${exitCode}` : undefined;
  const about = [name, step, command, error || reason].filter(Boolean).join(' ');
  return `${String(event.position).padStart(6)}  ${renderTime(event.recordedAt)}  ${printable(event.type).padEnd(24)}  ${printable(event.stream)}${about ? `  ${printable(about)}` : ''}`;
}
