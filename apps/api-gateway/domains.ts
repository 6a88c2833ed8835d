import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { Cause } from '#contracts/message.js';
import type { Messages, MessageType } from '#contracts/registry.js';
import type { BusClient } from '#messaging/bus-client.js';
import type { ReadModel } from './read-model.js';

/** Longest that an answer waits for our own read model to show what was just accepted. */
const SHOWN_WITHIN_MS = 2_000;

/** Asks the domains app, which decides. When it answers, what it accepted can be read here. */
export class Domains {
  constructor(
    private readonly bus: BusClient,
    private readonly readModel: ReadModel,
  ) {}

  async ask<K extends MessageType>(type: K, data: Messages[K], cause: Cause): Promise<Accepted> {
    const accepted = await this.bus.ask<K, Accepted>('domains', type, data, cause);
    await this.readModel.waitFor(accepted.position, SHOWN_WITHIN_MS);
    return accepted;
  }
}
