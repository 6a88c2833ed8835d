import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from '#boot/logger.js';
import { EventStore } from '#eventstore/event-store.js';
import type { KeyProvider } from '#providers/key.js';
import { envKeys } from '#providers/local-keys/env-keys.js';
import { fileKeys } from '#providers/local-keys/file-keys.js';
import { closeToOthers } from '#providers/write-whole.js';
import { KeyringFiles } from './keyring-files.js';
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
    log.info({ keys: provider.name, folder, swept: swept.length }, 'The vault is ready');
    return { module: SecretsModule, controllers: [VaultCommands], providers: [{ provide: Vault, useValue: vault }, { provide: EventStore, useValue: store }] };
  }
}

/** A master key is made only where nothing has been wrapped yet. */
async function chooseKeys({ HOSTPLANE_MASTER_KEY: given }: SecretsSettings, folder: string, isNew: boolean): Promise<KeyProvider> {
  return given ? envKeys(given) : fileKeys(join(folder, 'master.key'), isNew);
}
