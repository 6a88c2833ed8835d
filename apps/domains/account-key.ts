import type { OpenedSecrets } from '#contracts/gen/hostplane/v1/ask.js';
import { deriveId } from '#contracts/ids.js';
import type { BusClient } from '#messaging/bus-client.js';
import { BoxKeys } from '#messaging/sealed-box.js';
import { ProviderError } from '#providers/provider-error.js';

/** The key of the plane's account at an authority, from the vault: sealed to a key pair of this one call. */
export async function accountKey(bus: Pick<BusClient, 'ask'>, authority: string): Promise<string> {
  const keys = BoxKeys.fresh();
  const id = deriveId('account', authority, keys.publicKey);
  const cause = { id, meta: { correlationId: id, causationId: id, actor: 'system:domains', owner: 'system' } };
  const { secrets } = await bus.ask<'OpenAccountKey', OpenedSecrets>('secrets', 'OpenAccountKey', { authority, publicKey: keys.publicKey }, cause);
  const key = keys.open(secrets[0]?.box ?? '');
  if (key === undefined) throw new ProviderError("The vault's answer for the account's key cannot be opened: it was changed on its way.", true);
  return key;
}

/** Names an authority as the vault knows it, by the address of its directory. */
export const authorityName = (directoryUrl: string): string => directoryUrl.replace(/^https?:\/\//, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 100);
