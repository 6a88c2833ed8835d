import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import { edgeCertificateDecider } from '#domain/answers.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import type { AppliedEdge } from '#providers/edge.js';
import { answer } from './answer.js';
import { CertificateKeys } from './certificate-keys.js';
import { confirmCertificate, confirmProof, mustBeWanted } from './confirm-tls.js';
import { HostCertificates } from './host-certificates.js';
import { HostEdge } from './host-edge.js';
import { EdgeDoor } from './visit.js';

const NOTHING_SERVED: AppliedEdge = { revision: 0, configHash: '' };

type CertificateCommand = StoredMessage<'EnsureProofs' | 'EnsureCertificate' | 'RemoveCertificate'>;

/** Has this host's edge prove names to authorities, and serve certificates. */
@Controller()
export class CertificateCommands {
  constructor(
    private readonly store: EventStore,
    private readonly edge: HostEdge,
    private readonly certificates: HostCertificates,
    private readonly keys: CertificateKeys,
    private readonly door: EdgeDoor,
  ) {}

  @OnCommand('EnsureProofs')
  async prove(command: StoredMessage<'EnsureProofs'>, context: HandlerContext): Promise<void> {
    const { certificateId, proofs } = command.data;
    await this.answer(command, context, async () => {
      await this.edge.proofs.ensure(certificateId, new Map(proofs.map(({ token, text }) => [token, text])));
      for (const proof of proofs) await confirmProof(this.door, proof, context.signal);
      return NOTHING_SERVED;
    });
  }

  @OnCommand('EnsureCertificate')
  async ensure(command: StoredMessage<'EnsureCertificate'>, context: HandlerContext): Promise<void> {
    const { certificateId, hostnames, certificate } = command.data;
    const isWanted = (): boolean => this.certificates.isWanted(command.data);
    await this.answer(command, context, async () => {
      await this.edge.read(command.position);
      mustBeWanted(isWanted, hostnames.join(', '));
      await this.keys.bring(command.data, command);
      const applied = await this.edge.serve(command.position);
      reached('certificate:confirm');
      for (const hostname of hostnames) await confirmCertificate(this.door, hostname, certificate?.fingerprint ?? '', isWanted, context.signal);
      await this.edge.proofs.ensure(certificateId, new Map());
      return applied;
    });
  }

  @OnCommand('RemoveCertificate')
  async remove(command: StoredMessage<'RemoveCertificate'>, context: HandlerContext): Promise<void> {
    const { certificateId } = command.data;
    await this.answer(command, context, async () => {
      const applied = await this.edge.serve(command.position);
      reached('certificate:remove');
      await this.certificates.remove(certificateId);
      await this.edge.proofs.ensure(certificateId, new Map());
      return applied;
    });
  }

  private answer(command: CertificateCommand, context: HandlerContext, work: () => Promise<AppliedEdge>): Promise<void> {
    const { certificateId, hostId, siteId, turn } = command.data;
    const ids = { certificateId, hostId, siteId, turn, revision: command.position };
    return answer(this.store, command, context, {
      decider: edgeCertificateDecider,
      key: certificateId,
      act: async () => {
        const { revision: servedRevision, configHash } = await work();
        return { type: 'CertificateApplied', data: { ...ids, servedRevision, configHash } };
      },
      failed: (error) => ({ type: 'CertificateNotApplied', data: { ...ids, error } }),
    });
  }
}
