import { certificateByName } from '../edge/served-names.js';
import type { RouteTable } from '../edge.js';
import { mapKey, quoted, word } from './nginx-value.js';

/** Paths that nginx sees. */
export interface TlsSettings {
  /** The edge's own folder: in it `tls/<id>.pem`, key and chain in one, and `proofs/<token>`, answers for certificate authorities. */
  readonly folder: string;
  /** Of the certificate for names that have none of their own. */
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Which certificate a handshake gets, by the name that it asks for. nginx reads the file at each handshake: ten thousand cost a reload nothing but lines of a map, and
 * one that is renewed is served without any. A worker reads the file twice, for the certificate and for its key: where both change, a handshake in that very instant
 * fails; a renewal changes the certificate alone.
 */
export function renderCertificates(table: RouteTable, { folder, certFile, keyFile }: TlsSettings): string {
  const lines = [...certificateByName(table)].map(([name, id]) => `        ${mapKey(name, 'A name')} ${word(id, 'A certificate')};\n`);
  const file = `${quoted(`${folder}/tls`, 'The edge folder').slice(0, -1)}/$hp_certificate.pem"`;
  return `    map $ssl_server_name $hp_certificate {
        hostnames;
        default "";
${lines.join('')}    }
    map $hp_certificate $hp_certificate_file {
        "" ${quoted(certFile, 'The certificate file')};
        default ${file};
    }
    map $hp_certificate $hp_certificate_key {
        "" ${quoted(keyFile, 'The key file')};
        default ${file};
    }
`;
}

/** Answers for certificate authorities, for every host and whoever asks; another token goes on to where it belongs, past no rule that keeps visitors out. */
export function renderProofs({ folder }: TlsSettings, otherwise: '$hp_place' | '@missing'): string {
  return `
        location ~ "^/\\.well-known/acme-challenge/(?<hp_token>[A-Za-z0-9_-]+)$" {
            root ${quoted(`${folder}/proofs`, 'The edge folder')};
            types { }
            default_type text/plain;
            try_files /$hp_token ${otherwise};
        }
`;
}
