import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { certificateDecider } from '#domain/certificate/certificate.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnEvent } from '#messaging/handlers.js';
import { Issuance } from './issuance.js';

/** Takes a certificate on with what its host has done. */
@Controller()
export class CertificateReactor {
  constructor(
    private readonly store: EventStore,
    private readonly issuance: Issuance,
  ) {}

  @OnEvent('CertificateApplied')
  async applied(event: StoredMessage<'CertificateApplied'>): Promise<void> {
    await this.answer(event, '');
  }

  @OnEvent('CertificateNotApplied')
  async notApplied(event: StoredMessage<'CertificateNotApplied'>): Promise<void> {
    await this.answer(event, event.data.error);
  }

  private async answer(event: StoredMessage<'CertificateApplied' | 'CertificateNotApplied'>, error: string): Promise<void> {
    const { certificateId, turn } = event.data;
    const answer = { type: 'AnswerHost', turn, error, now: event.recordedAt, policy: this.issuance.policy } as const;
    await handle(this.store, event, [on(certificateDecider, certificateId, answer)], { actor: 'system:domains' });
  }
}
