import { createPrivateKey } from 'node:crypto';
import type { EnsureCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { Cause } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import { belongs, mustBeStrong, readChain } from '#providers/certificate-chain.js';
import { ProviderError } from '#providers/provider-error.js';
import type { HostCertificates } from './host-certificates.js';
import type { Vault } from './vault.js';

/** Gets certificates' keys from the vault, for the edge alone. */
export class CertificateKeys {
  constructor(
    private readonly vault: Vault,
    private readonly certificates: HostCertificates,
  ) {}

  /** The edge has the certificate with its key. Asks the vault each time: what is on the disk may be older, or harmed. */
  async bring({ certificateId, projectId, certificate }: EnsureCertificate, command: Cause): Promise<void> {
    if (!certificate) throw new ProviderError('The command holds no certificate.', false);
    const { chain, keySecret, sealedKey, fingerprint } = certificate;
    mustBeStrong(chain);
    const { secrets, sealed } = await this.vault.open({ projectId, names: keySecret ? [keySecret] : [], sealed: sealedKey ? [sealedKey] : [], purpose: 'certificate' }, command);
    const key = keySecret ? secrets[keySecret]! : sealed[sealedKey?.name ?? '']!;
    if (!belongs(readChain(chain)[0], createPrivateKey(key))) throw new ProviderError('The key in the vault is not that of the certificate.', false);
    reached('certificate:key');
    await this.certificates.put(certificateId, { chain, key }, fingerprint);
  }
}
