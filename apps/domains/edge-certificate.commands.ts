import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { RenewEdgeCertificate, RevokeEdgeCertificate } from '#contracts/gen/hostplane/v1/edge_certificate.js';
import type { Cause } from '#contracts/message.js';
import { certificateDecider, type CertificateCommand } from '#domain/certificate/certificate.js';
import { Refusal } from '#domain/refusal.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { Authorities } from './authorities.js';
import { PlaneCertificate } from './plane-certificate.js';

/** Accepts or refuses what whoever runs the plane asks of its own certificate; the gateway has seen that they do. */
@Controller()
export class EdgeCertificateCommands {
  constructor(
    private readonly store: EventStore,
    private readonly authorities: Authorities,
    private readonly plane: PlaneCertificate,
  ) {}

  @OnAsk('RenewEdgeCertificate')
  renew({ newKey }: RenewEdgeCertificate, cause: Cause): Promise<Accepted> {
    return this.decide({ type: 'RenewCertificate', reason: 'It was asked for.', newKey, authority: this.authorities.forWildcards?.name ?? '', now: new Date().toISOString() }, cause);
  }

  @OnAsk('RevokeEdgeCertificate')
  revoke({ reason }: RevokeEdgeCertificate, cause: Cause): Promise<Accepted> {
    return this.decide({ type: 'RevokeCertificate', reason, now: new Date().toISOString() }, cause);
  }

  private async decide(command: CertificateCommand, cause: Cause): Promise<Accepted> {
    const { id, baseDomain } = this.plane;
    const { state } = await loadState(this.store, certificateDecider, id);
    if (state.status === 'none') throw new Refusal('not-found', `The plane has no certificate for *.${baseDomain}.`);
    const { position } = await handle(this.store, cause, [on(certificateDecider, id, command)]);
    return { resourceId: id, operationId: '', position };
  }
}
