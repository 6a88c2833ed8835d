import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { Cause } from '#contracts/message.js';
import type { Messages, MessageType } from '#contracts/registry.js';
import type { BusClient } from '#messaging/bus-client.js';
import type { ReadModel } from './read-model.js';

/** Asks an app that decides. When it answers, what it accepted can be read here. */
class DecidingApp {
  constructor(
    private readonly app: 'lifecycle' | 'domains',
    private readonly bus: BusClient,
    private readonly readModel: ReadModel,
  ) {}

  async ask<K extends MessageType>(type: K, data: Messages[K], cause: Cause): Promise<Accepted> {
    const accepted = await this.bus.ask<K, Accepted>(this.app, type, data, cause);
    await this.readModel.shown(accepted.position);
    return accepted;
  }
}

/** Decides about projects, sites and their data. */
export class Lifecycle extends DecidingApp {
  constructor(bus: BusClient, readModel: ReadModel) {
    super('lifecycle', bus, readModel);
  }
}

/** Decides about domains, their certificates and the edge's rules. */
export class Domains extends DecidingApp {
  constructor(bus: BusClient, readModel: ReadModel) {
    super('domains', bus, readModel);
  }
}
