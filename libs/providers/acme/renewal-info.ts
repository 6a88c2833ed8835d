import { X509Certificate } from 'node:crypto';

/** The extension "authority key identifier" (RFC 5280, 4.2.1.1), by its object identifier 2.5.29.35 in DER. */
const AUTHORITY_KEY_IDENTIFIER = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x23]);

/** How an authority knows a certificate in its renewal information (RFC 9773, 4.1); undefined for one without the identifier of its authority's key. */
export function renewalId(pem: string): string | undefined {
  const certificate = new X509Certificate(pem);
  const keyId = authorityKeyId(certificate.raw);
  return keyId && `${keyId.toString('base64url')}.${serialBytes(certificate.serialNumber).toString('base64url')}`;
}

/** As DER has it: the first bit tells the sign, so that a leading one takes a zero before it. */
export function serialBytes(hex: string): Buffer {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return Buffer.from(parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even, 'hex');
}

/** OCTET STRING, in it a SEQUENCE, whose part [0] is the identifier; all of them are short enough for lengths of one byte. */
function authorityKeyId(der: Buffer): Buffer | undefined {
  const at = der.indexOf(AUTHORITY_KEY_IDENTIFIER);
  if (at < 0) return undefined;
  const value = der.subarray(at + AUTHORITY_KEY_IDENTIFIER.length);
  if (value[0] !== 0x04 || value[2] !== 0x30 || value[4] !== 0x80) return undefined;
  return value.subarray(6, 6 + value[5]!);
}
