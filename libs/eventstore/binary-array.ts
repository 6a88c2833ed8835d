import { Buffer } from 'node:buffer';

/** PostgreSQL's binary form of arrays: nothing needs escaping or parsing, neither here nor there. */

const TEXT_OID = 25;
const INTEGER_OID = 23;
const UUID_OID = 2950;
const HEADER_BYTES = 20;

export function textArray(values: readonly string[]): Buffer {
  const buffer = begin(TEXT_OID, values.length, values.reduce((size, value) => size + 4 + Buffer.byteLength(value), 0));
  let at = HEADER_BYTES;
  for (const value of values) {
    const length = buffer.write(value, at + 4);
    at = buffer.writeInt32BE(length, at) + length;
  }
  return values.length === 0 ? buffer.subarray(0, EMPTY_BYTES) : buffer;
}

export function integerArray(values: readonly number[]): Buffer {
  const buffer = begin(INTEGER_OID, values.length, values.length * 8);
  let at = HEADER_BYTES;
  for (const value of values) at = buffer.writeInt32BE(value, buffer.writeInt32BE(4, at));
  return values.length === 0 ? buffer.subarray(0, EMPTY_BYTES) : buffer;
}

export function uuidArray(values: readonly string[]): Buffer {
  const buffer = begin(UUID_OID, values.length, values.length * 20);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = buffer.writeInt32BE(16, at);
    at += buffer.write(value.replaceAll('-', ''), at, 'hex');
  }
  return values.length === 0 ? buffer.subarray(0, EMPTY_BYTES) : buffer;
}

/** An array without elements has no dimension. */
const EMPTY_BYTES = 12;

function begin(elementOid: number, length: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  let at = buffer.writeInt32BE(length === 0 ? 0 : 1);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeInt32BE(elementOid, at);
  at = buffer.writeInt32BE(length, at);
  buffer.writeInt32BE(1, at);
  return buffer;
}
