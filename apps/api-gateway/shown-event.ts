import type { ShownEvent } from '#api/event.js';
import type { Meta } from '#contracts/message.js';
import { decodeData, type MessageType } from '#contracts/registry.js';
import type { TimelineRow } from './timeline.projection.js';

/** A row of the timeline with what the log says at its position. */
export type TimelineEvent = TimelineRow & {
  stream: string;
  /** As stored. */
  data: string;
  meta: string;
  recorded_at: string;
};

/** An event as outsiders see it: the only way out for what the log says. */
export function showEvent({ position, type, stream, data, meta, recorded_at }: TimelineEvent): ShownEvent {
  const { correlationId, causationId, actor } = JSON.parse(meta) as Meta;
  return {
    position, type, stream, data: withoutSecrets(decodeData(type as MessageType, data)) as Record<string, unknown>,
    meta: { correlationId, causationId, actor },
    recordedAt: recorded_at,
  };
}

/** Working data of workflows holds whole specs; hashes of tokens and passwords and what only the vault can open are nobody's business. */
const HIDDEN = new Set(['input', 'output', 'tokenHash', 'passwordHash', 'ciphertext', 'box']);

/** A copy without hidden fields; of an app's environment only the names are left. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const { sealedEnv = [], secretEnv = [] } = value as Readonly<Record<string, readonly Variable[]>>;
  const shown: Record<string, unknown> = {};
  for (const [key, held] of Object.entries(value)) {
    if (HIDDEN.has(key) || key === 'sealedEnv' || key === 'secretEnv') continue;
    if (key === 'env') Object.assign(shown, environmentOf([...Object.keys((held ?? {}) as object), ...[...sealedEnv, ...secretEnv].map(({ name }) => name)], secretEnv));
    else shown[key] = withoutSecrets(held);
  }
  return shown;
}

interface Variable {
  readonly name: string;
  readonly secret?: string;
}

function environmentOf(names: readonly string[], secretEnv: readonly Variable[]): object {
  const envSecrets = Object.fromEntries(secretEnv.map(({ name, secret }) => [name, secret]));
  return { envNames: [...names].sort(), ...(secretEnv.length > 0 && { envSecrets }) };
}
