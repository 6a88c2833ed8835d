import { Controller } from '@nestjs/common';
import type { Accepted, RevealedSecret } from '#contracts/gen/hostplane/v1/ask.js';
import type { RevealSecret, RevokeSecret, RotateSecret, StoreSecret } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import { OnAsk } from '#messaging/handlers.js';
import { OwnSecrets } from './own-secrets.js';

/** What the gateway asks for a member. */
@Controller()
export class OwnSecretsCommands {
  constructor(private readonly secrets: OwnSecrets) {}

  @OnAsk('StoreSecret')
  store(ask: StoreSecret, cause: Cause): Promise<Accepted> {
    return this.secrets.put(ask, cause);
  }

  @OnAsk('RotateSecret')
  rotate(ask: RotateSecret, cause: Cause): Promise<Accepted> {
    return this.secrets.rotate(ask, cause);
  }

  @OnAsk('RevokeSecret')
  revoke(ask: RevokeSecret, cause: Cause): Promise<Accepted> {
    return this.secrets.revoke(ask, cause);
  }

  @OnAsk('RevealSecret')
  reveal(ask: RevealSecret, cause: Cause): Promise<RevealedSecret> {
    return this.secrets.reveal(ask, cause);
  }
}
