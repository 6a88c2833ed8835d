import { Controller } from '@nestjs/common';
import type { OpenedSecrets, SigningRequest } from '#contracts/gen/hostplane/v1/ask.js';
import type { ForgetSecrets, MakeSigningRequest, OpenAccountKey } from '#contracts/gen/hostplane/v1/secret.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause, StoredMessage } from '#contracts/message.js';
import { accountKeyName, PLANE_KEYRING } from '#domain/naming/naming.js';
import { Refusal } from '#domain/refusal.js';
import { OnAsk, OnCommand } from '#messaging/handlers.js';
import { freshKey, signingRequest } from '#providers/signing-request.js';
import { Vault } from './vault.js';

/** Keeps the keys of certificates: what is made with them leaves the vault, they themselves only for the host that serves the certificate. */
@Controller()
export class CertificateKeysCommands {
  constructor(private readonly vault: Vault) {}

  @OnAsk('MakeSigningRequest')
  async sign({ projectId, siteId, keySecret: name, names }: MakeSigningRequest, cause: Cause): Promise<SigningRequest> {
    if (!/^certificate\/[0-9a-f-]{36}\/\d{1,6}$/.test(name)) throw new Refusal('invalid', `"${name.slice(0, 80)}" is not the name of a certificate's key.`, 'keySecret');
    return { csr: await signingRequest(names, await this.vault.obtain({ projectId, siteId, name }, freshKey, cause)) };
  }

  @OnAsk('OpenAccountKey')
  async account({ authority, publicKey }: OpenAccountKey, cause: Cause): Promise<OpenedSecrets> {
    const name = accountKeyName(authority);
    if (!/^[a-z0-9-]{1,100}$/.test(authority)) throw new Refusal('invalid', `"${authority.slice(0, 80)}" is not the name of an authority.`, 'authority');
    await this.vault.obtain({ projectId: PLANE_KEYRING, siteId: '', name }, freshKey, cause);
    return this.vault.open({ projectId: PLANE_KEYRING, names: [name], sealed: [], publicKey, purpose: 'certificates' }, { ...cause, id: deriveId(cause.id, 'open') });
  }

  @OnCommand('ForgetSecrets')
  async forget(command: StoredMessage<'ForgetSecrets'>): Promise<void> {
    const { projectId, names }: ForgetSecrets = command.data;
    await this.vault.forget(projectId, names, command);
  }
}
