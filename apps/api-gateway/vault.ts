import type { RevealedSecret, RotatedMasterKey, VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import type { SealedValue } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import type { BusClient } from '#messaging/bus-client.js';
import { BoxKeys, seal } from '#messaging/sealed-box.js';
import { Unavailable } from '#messaging/unavailable.js';
import type { ReadModel } from './read-model.js';

/** Wrapping thousands of keyrings anew takes a while. */
const ROTATED_WITHIN_MS = 300_000;

/** A value, or the length of one that the vault shall make. */
export interface NewValue {
  readonly value?: string | undefined;
  readonly generate?: number | undefined;
}

/** Speaks to the vault for members. Values are unreadable for everybody else before anything of them is sent or stored, and again on their way back. Throws Unavailable when the vault is away. */
export class Vault {
  constructor(
    private readonly bus: Pick<BusClient, 'ask'>,
    private readonly readModel: Pick<ReadModel, 'shown'>,
  ) {}

  /** Seals values to the project's key. Asks nobody when there are none. */
  async seal(projectId: string, values: Readonly<Record<string, string>>, cause: Cause): Promise<SealedValue[]> {
    const names = Object.keys(values).sort();
    if (names.length === 0) return [];
    const publicKey = await this.publicKey(projectId, cause);
    return names.map((name) => ({ name, box: seal(values[name]!, publicKey) }));
  }

  async store(projectId: string, name: string, { value, generate }: NewValue, cause: Cause): Promise<void> {
    const box = value === undefined ? '' : seal(value, await this.publicKey(projectId, cause));
    const { position } = await this.bus.ask('secrets', 'StoreSecret', { projectId, name, box, length: generate ?? 0 }, cause);
    await this.readModel.shown(position);
  }

  async change(type: 'RotateSecret' | 'RevokeSecret', projectId: string, name: string, cause: Cause): Promise<void> {
    const { position } = await this.bus.ask('secrets', type, { projectId, name }, cause);
    await this.readModel.shown(position);
  }

  /** The value, which only this call can read: it was sealed to a key that lives as long. */
  async reveal(projectId: string, name: string, cause: Cause): Promise<{ version: number; value: string }> {
    const keys = BoxKeys.fresh();
    const { version, box } = await this.bus.ask<'RevealSecret', RevealedSecret>('secrets', 'RevealSecret', { projectId, name, publicKey: keys.publicKey }, cause);
    const value = keys.open(box);
    if (value === undefined) throw new Unavailable(`The vault's answer for ${name} cannot be opened: it was changed on its way.`);
    return { version, value };
  }

  async rotateMasterKey(cause: Cause): Promise<{ from: string; to: string; rewrapped: number }> {
    const { fromKeyId: from, toKeyId: to, rewrapped } = await this.bus.ask<'RotateMasterKey', RotatedMasterKey>('secrets', 'RotateMasterKey', {}, cause, ROTATED_WITHIN_MS);
    return { from, to, rewrapped };
  }

  private async publicKey(projectId: string, cause: Cause): Promise<string> {
    return (await this.bus.ask<'ShowPublicKey', VaultKey>('secrets', 'ShowPublicKey', { projectId }, cause)).publicKey;
  }
}
