import type { Cause } from '#contracts/message.js';
import type { Messages, MessageType } from '#contracts/registry.js';
import type { BusClient } from '#messaging/bus-client.js';
import { hostAddress } from '#messaging/subjects.js';

/** Asks a host's provisioner what only it can see. Nothing changes by it. */
export class Hosts {
  constructor(private readonly bus: BusClient) {}

  ask<K extends MessageType, R>(hostId: string, type: K, data: Messages[K], cause: Cause, timeoutMs: number): Promise<R> {
    return this.bus.ask<K, R>(hostAddress(hostId), type, data, cause, timeoutMs);
  }
}
