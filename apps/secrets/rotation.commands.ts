import { Controller } from '@nestjs/common';
import type { RotatedMasterKey } from '#contracts/gen/hostplane/v1/ask.js';
import type { RotateMasterKey } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import { OnAsk } from '#messaging/handlers.js';
import { Rotation } from './rotation.js';

/** What the gateway asks for whoever runs the plane. */
@Controller()
export class RotationCommands {
  constructor(private readonly rotation: Rotation) {}

  @OnAsk('RotateMasterKey')
  rotate(_: RotateMasterKey, cause: Cause): Promise<RotatedMasterKey> {
    return this.rotation.rotate(cause);
  }
}
