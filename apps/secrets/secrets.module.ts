import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from '#boot/logger.js';
import { EventStore } from '#eventstore/event-store.js';
import type { KeyProvider } from '#providers/key.js';
import { envKeys } from '#providers/local-keys/env-keys.js';
import { fileKeys } from '#providers/local-keys/file-keys.js';
import type { ProviderError } from '#providers/provider-error.js';
import { VaultTransit } from '#providers/vault-transit/vault-transit.js';
import { closeToOthers } from '#providers/write-whole.js';
import { CertificateKeysCommands } from './certificate-keys.commands.js';
import { KeyChain } from './key-chain.js';
import { KeyringFiles } from './keyring-files.js';
import { OwnSecrets } from './own-secrets.js';
import { OwnSecretsCommands } from './own-secrets.commands.js';
import { Rotation } from './rotation.js';
import { RotationCommands } from './rotation.commands.js';
import type { SecretsSettings } from './secrets.config.js';
import { Vault } from './vault.js';
import { VaultCommands } from './vault.commands.js';

@Module({})
export class SecretsModule {
  /** Chooses who holds the master key, and takes away what a crash or an old copy of the folder has left of destroyed keys. */
  static async with(settings: SecretsSettings, store: EventStore, log: Logger): Promise<DynamicModule> {
    const folder = settings.HOSTPLANE_VAULT_DIR ?? join(settings.HOSTPLANE_DATA, 'vault');
    const keyrings = join(folder, 'keyrings');
    await mkdir(keyrings, { recursive: true, mode: 0o700 });
    await closeToOthers(folder);
    const provider = await chooseKeys(settings, folder, (await KeyringFiles.in(keyrings)).length === 0);
    const vault = new Vault(store, new KeyringFiles(keyrings, provider));
    const swept = await vault.sweep();
    const rotation = new Rotation(store, vault, provider);
    const { rotation: done, failed } = await rotation.finish().catch((error: unknown) => {
      if (!(error as Partial<ProviderError>).retryable) throw error;
      return { rotation: { rewrapped: 0 }, failed: [(error as Error).message] };
    });
    if (done.rewrapped > 0) log.info(done, 'Keyrings were wrapped with another master key');
    if (failed.length > 0) log.error({ failed }, 'Keyrings could not be wrapped with the master key of now; the next start tries again');
    log.info({ keys: provider.name, folder, swept: swept.length }, 'The vault is ready');
    return { module: SecretsModule, controllers: [VaultCommands, OwnSecretsCommands, CertificateKeysCommands, RotationCommands], providers: [{ provide: Vault, useValue: vault }, { provide: Rotation, useValue: rotation }, { provide: OwnSecrets, useValue: new OwnSecrets(store, vault) }, { provide: EventStore, useValue: store }] };
  }
}

type From = NonNullable<SecretsSettings['HOSTPLANE_MASTER_KEY_FROM']>;

/** One provider wraps; whatever else is configured, or lies in the folder, still unwraps. A master key is made only where nothing has been wrapped yet. */
async function chooseKeys(settings: SecretsSettings, folder: string, isNew: boolean): Promise<KeyProvider> {
  const { HOSTPLANE_MASTER_KEY: given, HOSTPLANE_VAULT_TRANSIT_KEY: key } = settings;
  const from = settings.HOSTPLANE_MASTER_KEY_FROM ?? (key ? 'transit' : given ? 'env' : 'file');
  const file = join(folder, 'master.key');
  const isThere = existsSync(file);
  const known: Partial<Record<From, KeyProvider>> = {
    ...(key && { transit: transitOf(settings, key) }),
    ...(given && { env: envKeys(given) }),
    ...((isThere || from === 'file') && { file: await fileKeys(file, isNew || Boolean(key ?? given)) }),
  };
  const { [from]: current, ...others } = known;
  if (!current) throw new Error(`HOSTPLANE_MASTER_KEY_FROM is ${from}, and ${from === 'env' ? 'HOSTPLANE_MASTER_KEY' : 'HOSTPLANE_VAULT_TRANSIT_KEY'} is missing.`);
  return new KeyChain(current, Object.values(others));
}

function transitOf({ VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_NAMESPACE: namespace }: SecretsSettings, place: string): KeyProvider {
  if (!address || !token) throw new Error('HOSTPLANE_VAULT_TRANSIT_KEY is set, and VAULT_ADDR or VAULT_TOKEN is missing.');
  const at = place.lastIndexOf('/');
  return new VaultTransit({ address, token, namespace, mount: at < 0 ? 'transit' : place.slice(0, at), key: place.slice(at + 1) });
}
