import { request } from 'node:http';
import type { AppliedEdge } from '../edge.js';
import { ownAddressOf, type EdgeSettings } from './edge-settings.js';
import { connectSelf } from './proxy-protocol.js';

/** The Host under which an edge tells its version, on the port that visitors use. No site can have it: the domain .invalid is nobody's (RFC 2606). */
export const VERSION_HOST = 'version.hostplane.invalid';

const ANSWER_TIMEOUT_MS = 1_000;
const ANSWER_LIMIT_BYTES = 4_096;

export interface ServedVersion extends AppliedEdge {
  /** The process that answered. */
  readonly pid: number;
}

/** What an edge answers of itself; `pid` may be a variable of its configuration. */
export function versionAnswer(planeId: string, applied: AppliedEdge, pid: string | number): string {
  return `{"edge":"${planeId}","revision":${applied.revision},"hash":"${applied.configHash}","pid":${pid}}`;
}

/** Asks whoever holds the HTTP port which table it serves: undefined when nobody answers, or when it is not this plane's edge. */
export function askVersion(settings: Pick<EdgeSettings, 'bind' | 'httpPort' | 'planeId' | 'proxyProtocol'>): Promise<ServedVersion | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      {
        createConnection: () => connectSelf(ownAddressOf(settings.bind), settings.httpPort, settings.proxyProtocol),
        path: '/',
        headers: { host: VERSION_HOST },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          if (text.length > ANSWER_LIMIT_BYTES) response.destroy();
        });
        response.on('end', () => resolve(parse(text, settings.planeId))).on('error', () => resolve(undefined));
        response.on('close', () => resolve(undefined));
      },
    );
    asked.on('error', () => resolve(undefined)).end();
  });
}

function parse(text: string, planeId: string): ServedVersion | undefined {
  try {
    const { edge, revision, hash, pid } = JSON.parse(text) as Record<string, unknown>;
    if (edge !== planeId || typeof revision !== 'number' || typeof hash !== 'string' || typeof pid !== 'number') return undefined;
    return { revision, configHash: hash, pid };
  } catch {
    return undefined;
  }
}
