import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { Knot } from './knot.js';
import { Pebble, type PebbleOptions } from './pebble.js';

/** Where certificate authorities of a test look for proofs: a zone, and a web server that every name below it leads to. */
export class ProofPlaces {
  private readonly answers = new Map<string, string>();

  private constructor(
    private readonly zone: string,
    private readonly knot: Knot,
    private readonly web: Server,
  ) {}

  static async open(zone = 'example.com'): Promise<ProofPlaces> {
    const knot = await Knot.start(zone);
    const web = createServer();
    const places = new ProofPlaces(zone, knot, web);
    web.on('request', (request, response) => {
      const text = places.answers.get(request.url ?? '');
      response.writeHead(text === undefined ? 404 : 200).end(text);
    });
    await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening));
    await knot.set(zone, `*.${zone}. A 127.0.0.1`);
    return places;
  }

  /** An authority that looks here. */
  pebble(options: Omit<PebbleOptions, 'dns' | 'httpPort'> = {}): Promise<Pebble> {
    return Pebble.start({ dns: this.knot.address, httpPort: (this.web.address() as AddressInfo).port, ...options });
  }

  /** Puts proofs where an authority will find them. */
  async put(proofs: readonly CertificateProof[]): Promise<void> {
    for (const { type, token, text } of proofs) {
      if (type === 'http-01') this.answers.set(`/.well-known/acme-challenge/${token}`, text);
      else await this.knot.set(this.zone, `${token}. TXT "${text}"`);
    }
  }

  async close(): Promise<void> {
    await this.knot.stop();
    this.web.closeAllConnections();
    await new Promise((closed) => this.web.close(closed));
  }
}
