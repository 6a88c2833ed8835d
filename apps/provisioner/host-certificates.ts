import type { EnsureCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { Cause, StoredMessage } from '#contracts/message.js';
import type { EdgeCertificate, EdgeCertificates, ServerCertificate } from '#providers/edge.js';

/** A certificate that this host was told to serve, and the command that said so. */
export interface WantedCertificate {
  readonly data: EnsureCertificate;
  readonly command: Cause;
  /** RFC 3339. */
  readonly since: string;
}

/** Which certificates the log wants on this host, and which of them its edge has. */
export class HostCertificates {
  static readonly categories = ['certificate'] as const;

  private readonly wanted = new Map<string, WantedCertificate>();
  /** Fingerprints by certificate id. */
  private held = new Map<string, string>();
  private changes = 0;

  constructor(
    private readonly hostId: string,
    private readonly store: EdgeCertificates,
  ) {}

  /** Looks which certificates are there. What is brought or taken meanwhile is known better. */
  async load(): Promise<void> {
    const before = this.changes;
    const held = new Map(await this.store.held());
    if (this.changes === before) this.held = held;
  }

  /** Takes the next messages of the log, in order. */
  apply(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      if (message.type === 'RemoveCertificate' && message.data.hostId === this.hostId) this.wanted.delete(message.data.certificateId);
      if (message.type !== 'EnsureCertificate') continue;
      const { id, meta, recordedAt: since, data } = message;
      if (data.hostId === this.hostId) this.wanted.set(data.certificateId, { data, command: { id, meta }, since });
      else this.wanted.delete(data.certificateId);
    }
  }

  /** Whether a command has the last word on its certificate: an older one, for another certificate, may come again after it. */
  isWanted({ certificateId, certificate }: EnsureCertificate): boolean {
    const last = this.wanted.get(certificateId);
    return last !== undefined && last.data.certificate?.fingerprint === certificate?.fingerprint;
  }

  /** What the edge is to serve: only what it has, since a handshake for what is missing would fail. The newest for a name comes last. */
  served(): readonly EdgeCertificate[] {
    return [...this.wanted.values()].flatMap(({ data: { certificateId, hostnames } }) => (this.held.has(certificateId) ? [{ certificateId, hostnames }] : []));
  }

  /** What is wanted and not there, or is there as an older one. */
  missing(): readonly WantedCertificate[] {
    return [...this.wanted.values()].filter(({ data: { certificateId, certificate } }) => this.held.get(certificateId) !== certificate?.fingerprint);
  }

  /** What is there and not wanted. */
  left(): readonly string[] {
    return [...this.held.keys()].filter((id) => !this.wanted.has(id));
  }

  async put(certificateId: string, certificate: ServerCertificate, fingerprint: string): Promise<void> {
    await this.store.put(certificateId, certificate);
    this.changes++;
    this.held.set(certificateId, fingerprint);
  }

  async remove(certificateId: string): Promise<void> {
    await this.store.remove(certificateId);
    this.changes++;
    this.held.delete(certificateId);
  }
}
