import { z } from 'zod';
import { ProblemError } from './problem.js';

export const MAX_PAGE = 200;

/** What every list takes. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50).describe(`How many at most, up to ${MAX_PAGE}`),
  cursor: z.string().max(500).optional().describe('nextCursor of the page before'),
});

/** What every list answers: without nextCursor it is the last page. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().optional() });
}

/** A switch in a query: true or false, spelled out. */
export const flag = z.enum(['true', 'false']).transform((said) => said === 'true');

/** Whether every owner's are asked for. */
export const everyOwner = flag.optional().describe("true: every owner's, for admin tokens");

const positions = z.tuple([z.int().nonnegative()]);

/** A cursor is opaque to callers; inside it is the sort key of the page's last row (a log position). */
export function cursorOf(position: number): string {
  return btoa(JSON.stringify([position])).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_');
}

/** The sort key in a cursor, or a problem for one that no list of ours gave out. */
export function readCursor(cursor: string): number {
  try {
    return positions.parse(JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))))[0];
  } catch {
    const field = { field: 'cursor', message: 'It is not a cursor that a list gave out. Ask for the first page again.' };
    throw new ProblemError('invalid', `cursor: ${field.message}`, { errors: [field] });
  }
}

/** Cuts a result that was asked for with one row more than the page holds. */
export function pageFrom<R, T>(rows: readonly R[], limit: number, positionOf: (row: R) => number, show: (row: R) => T): { items: T[]; nextCursor?: string } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const items = shown.map(show);
  return rows.length > limit && last ? { items, nextCursor: cursorOf(positionOf(last)) } : { items };
}
