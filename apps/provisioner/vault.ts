import type { OpenedSecrets } from '#contracts/gen/hostplane/v1/ask.js';
import type { SealedValue } from '#contracts/gen/hostplane/v1/secret.js';
import { follow, type Cause } from '#contracts/message.js';
import type { BusClient } from '#messaging/bus-client.js';
import { BoxKeys } from '#messaging/sealed-box.js';
import { ProviderError } from '#providers/provider-error.js';

/** What a piece of work needs of the vault. */
export interface Wish {
  readonly projectId: string;
  /** Secrets by the names that domain/naming gives them. */
  readonly names?: readonly string[];
  /** Values that were sealed to the project's key. */
  readonly sealed?: readonly SealedValue[];
  /** The step that needs them; recorded with each secret. */
  readonly purpose: string;
}

/** Plain values by name: for this one piece of work, never to be written down. */
export interface Opened {
  readonly secrets: Readonly<Record<string, string>>;
  readonly sealed: Readonly<Record<string, string>>;
  /** Of the secrets, by name. */
  readonly versions: Readonly<Record<string, number>>;
}

const ACTOR = 'system:provisioner';

/** Asks the vault. Each answer is sealed to a key pair of that one call, so that nobody on the way can read it. */
export class Vault {
  constructor(private readonly bus: Pick<BusClient, 'ask'>) {}

  /**
   * Opens what the work of this command needs; asks nobody when it needs nothing. A Refusal says that it will never be opened, Unavailable
   * that the vault is away.
   */
  async open({ projectId, names = [], sealed = [], purpose }: Wish, command: Cause): Promise<Opened> {
    if (names.length + sealed.length === 0) return { secrets: {}, sealed: {}, versions: {} };
    const keys = BoxKeys.fresh();
    const ask = { projectId, names: [...names], sealed: [...sealed], publicKey: keys.publicKey, purpose };
    const opened = await this.bus.ask<'OpenSecrets', OpenedSecrets>('secrets', 'OpenSecrets', ask, { id: command.id, meta: follow(command, ACTOR) });
    return { secrets: plain(keys, opened.secrets), sealed: plain(keys, opened.sealed), versions: Object.fromEntries(opened.secrets.map((secret, at) => [secret.name, opened.versions[at] ?? 0])) };
  }
}

function plain(keys: BoxKeys, values: readonly SealedValue[]): Record<string, string> {
  return Object.fromEntries(values.map(({ name, box }) => {
    const value = keys.open(box);
    if (value === undefined) throw new ProviderError(`The vault's answer for ${name} cannot be opened: it was sealed for somebody else, or changed on its way.`, true);
    return [name, value];
  }));
}
