import { createHash } from 'node:crypto';
import { deriveId } from '#contracts/ids.js';
import { encodeData, type Messages, type MessageType } from '#contracts/registry.js';
import type { Kind } from '#contracts/message.js';
import type { RawMessage } from '#messaging/envelope.js';
import type { LogSource } from '#messaging/relay.js';

/** A log in memory, for suites that are about what follows the log. */
export class FakeLog implements LogSource {
  readonly messages: RawMessage[] = [];

  constructor(private readonly name = 'a') {}

  add<K extends MessageType>(kind: Kind, stream: string, type: K, data: Messages[K], meta: Record<string, string> = {}): RawMessage {
    const position = this.messages.length + 1;
    const id = deriveId(this.name, position);
    const message: RawMessage = {
      position, id, kind, type, streamId: stream, version: position, schemaVersion: 1,
      data: encodeData(type, data),
      meta: JSON.stringify({ correlationId: id, causationId: id, actor: 'system:test', owner: 'owner-1', ...meta }),
      recordedAt: '2026-01-01T00:00:00.000Z',
      hash: createHash('sha256').update(id).digest('hex'),
    };
    this.messages.push(message);
    return message;
  }

  /** A fact about a site, which lifecycle is given. */
  addEvent(siteId: string, text = ''): RawMessage {
    return this.add('event', `site/${siteId}`, 'OperationStepSucceeded', { operationId: siteId, step: 'x', output: text });
  }

  /** A command to a host. */
  addCommand(siteId: string, hostId = 'local'): RawMessage {
    return this.add('command', `operation/${siteId}`, 'EnsureEdge', { operationId: siteId, siteId, hostId, turn: 1 });
  }

  fill(count: number, keys = 50): this {
    for (let i = 0; i < count; i += 1) {
      if (i % 5 === 4) this.addCommand(`s${i % keys}`);
      else this.addEvent(`s${i % keys}`, String(i));
    }
    return this;
  }

  readRaw({ after, limit }: { after: number; limit: number }): Promise<readonly RawMessage[]> {
    return Promise.resolve(this.messages.slice(after, after + limit));
  }

  head(): Promise<number> {
    return Promise.resolve(this.messages.length);
  }
}
