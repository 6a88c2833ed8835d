import type { EdgeConfig } from '#api/edge.js';
import type { EdgeMoment, EdgeNow } from './edge-history.js';

export interface RenderedText {
  readonly text: string;
  /** As an edge itself would hash it. */
  readonly hash: string;
}

/** What Traefik is told besides the routes. */
export interface TraefikWish {
  readonly http: string;
  readonly https: string;
  readonly certResolver?: string | undefined;
  readonly edgeUrl?: string | undefined;
  readonly containers: 'through-edge' | 'direct';
}

/** How a table becomes text, in each format; pure. Which adapter does it, the module says. */
export abstract class EdgeRenderers {
  abstract render(format: EdgeConfig['format'], moment: EdgeMoment): RenderedText;
  abstract traefik(now: EdgeNow, wish: TraefikWish): RenderedText;
}
