import { createServer, connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { confirmCertificate } from './confirm-tls.js';

describe('a certificate that is confirmed', () => {
  const edge = createServer((socket) => socket.destroy());
  beforeAll(() => new Promise<void>((listening) => edge.listen(0, '127.0.0.1', listening)));
  afterAll(() => void edge.close());
  const door = (withinMs: number) => ({ httpPort: 0, connect: () => connect((edge.address() as AddressInfo).port, '127.0.0.1'), withinMs });

  it('is tried again later when no handshake ends with it in time', async () => {
    await expect(confirmCertificate(door(100), 'shop.example.com', 'abc', () => true)).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/does not serve the certificate of shop\.example\.com/) });
  });
  it('is given up as soon as another one is to be served', async () => {
    let looks = 0;
    await expect(confirmCertificate(door(60_000), 'shop.example.com', 'abc', () => looks++ < 2)).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/another one is to be served, or none/) });
  });
});
