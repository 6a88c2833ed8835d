import { z } from 'zod';
import { everyOwner, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** One event as outsiders see it. Values of an app's environment, hashes of tokens and workflows' working data are left out. */
export const shownEvent = z.object({
  position: z.int().describe('Place in the log; grows, with gaps where others own the events'),
  type: z.string().describe('For example SiteActivated'),
  stream: z.string().describe('<category>/<key>'),
  data: z.record(z.string(), z.unknown()),
  meta: z.object({ correlationId: z.string(), causationId: z.string(), actor: z.string() }),
  recordedAt: z.string(),
});
export type ShownEvent = z.output<typeof shownEvent>;

export const eventPage = pageOf(shownEvent);

const position = z.coerce.number().int().nonnegative();

export const eventFilter = pageQuery.extend({
  siteId: reference('site', 'Id or name of a site').optional(),
  operationId: reference('operation', 'Id of an operation').optional(),
  projectId: reference('project', 'Id or name of a project').optional(),
  type: z.string().max(500).optional().describe('One type, or several with commas between'),
  after: position.optional().describe('Only events after this position; the header Last-Event-ID says the same'),
  order: z.enum(['asc', 'desc']).default('asc').describe('Of a page; a stream is always ascending'),
  format: z.enum(['sse', 'json']).optional().describe('json: a page instead of a stream; the header Accept: application/json says the same'),
  all: everyOwner,
});
/** Of one site, which the path names. */
export const siteEventFilter = eventFilter.omit({ siteId: true, all: true });
export type EventFilter = z.output<typeof eventFilter>;
