import { createParser } from 'eventsource-parser';
import { type ApiClient, UnreachableError } from './client.js';
import type { ShownEvent } from './event.js';

export interface Following {
  readonly filter?: Partial<Record<'siteId' | 'operationId' | 'projectId' | 'type' | 'all', string>>;
  /** Only events after this log position; left out, only those that are yet to come. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** Told when the connection is lost and is tried again. */
  readonly onRetry?: (error: Error) => void;
}

/**
 * Events as they happen, each once and in order. A lost connection is opened again after the last event that came through;
 * a problem (a wrong token, say) ends it with that problem, an abort ends it without one.
 */
export async function* followEvents(client: ApiClient, following: Following): AsyncGenerator<ShownEvent> {
  const { signal } = following;
  let after = following.after;
  for (let failures = 0; !signal?.aborted; failures++) {
    try {
      const resume: Record<string, string> = after === undefined ? {} : { 'last-event-id': String(after) };
      const response = await client.open('streamEvents', { ...following.filter }, { accept: 'text/event-stream', ...resume }, signal);
      for await (const event of eventsOf(response)) {
        failures = 0;
        after = event.position;
        yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof TypeError || error instanceof UnreachableError) || failures >= 20) throw error;
      following.onRetry?.(error);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(200 * 2 ** failures, 5000)));
  }
}

async function* eventsOf(response: Response): AsyncGenerator<ShownEvent> {
  const ready: ShownEvent[] = [];
  const parser = createParser({ onEvent: (event) => void ready.push(JSON.parse(event.data) as ShownEvent) });
  if (!response.body) return;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    parser.feed(text);
    yield* ready.splice(0);
  }
}
