import type { VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import type { SealedValue } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import type { BusClient } from '#messaging/bus-client.js';
import { seal } from '#messaging/sealed-box.js';

/** Makes values unreadable for everybody but the vault, before anything of them is sent or stored. */
export class Vault {
  constructor(private readonly bus: Pick<BusClient, 'ask'>) {}

  /** Seals values to the project's key. Asks nobody when there are none; throws Unavailable when the vault is away. */
  async seal(projectId: string, values: Readonly<Record<string, string>>, cause: Cause): Promise<SealedValue[]> {
    const names = Object.keys(values).sort();
    if (names.length === 0) return [];
    const { publicKey } = await this.bus.ask<'ShowPublicKey', VaultKey>('secrets', 'ShowPublicKey', { projectId }, cause);
    return names.map((name) => ({ name, box: seal(values[name]!, publicKey) }));
  }
}
