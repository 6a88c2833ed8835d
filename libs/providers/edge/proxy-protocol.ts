import { connect, type Socket } from 'node:net';

/** Begins a connection to an edge as this machine itself: where the PROXY protocol is spoken, with its word for "nobody's but my own" (its specification, 2.1). */
export function connectSelf(host: string, port: number, isProxyProtocol = false): Socket {
  const socket = connect(port, host);
  if (isProxyProtocol) socket.write('PROXY UNKNOWN\r\n');
  return socket;
}
