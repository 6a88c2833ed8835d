import { describe, expect, it } from '@jest/globals';
import { bindTroubleOf, errorsOf, isTaking } from './nginx-process.js';

const settings = { bind: '127.0.0.1', httpPort: 80 };

describe('what nginx prints', () => {
  it('is shown without times and process numbers', () => {
    const printed = '2026/11/20 19:31:31 [emerg] 12#12: unknown directive "x" in /e/nginx.conf:3\nnginx: configuration file /e/nginx.conf test failed\n';
    expect(errorsOf(printed)).toBe('unknown directive "x" in /e/nginx.conf:3');
    expect(errorsOf('nginx: [alert] could not open\n')).toBe('could not open');
    expect(errorsOf('Killed\n')).toBe('Killed');
  });

  it.each([
    ['bind() to 127.0.0.1:80 failed (98: Address already in use)', /^Port 80 at 127.0.0.1 is taken.*HOSTPLANE_EDGE_HTTP_PORT/],
    ['bind() to [::1]:8443 failed (48: Address already in use)', /^Port 8443 .* is taken.*HOSTPLANE_EDGE_HTTPS_PORT/],
    ['bind() to 127.0.0.1:80 failed (13: Permission denied)', /^Port 80 .* may not be used by this user/],
    ['bind() to 10.9.9.9:80 failed (99: Cannot assign requested address)', /HOSTPLANE_BIND/],
  ])('names the port: %s', (printed, said) => {
    expect(bindTroubleOf(`nginx: [emerg] ${printed}`, settings)).toMatch(said);
  });

  it('names no port where that is not the trouble', () => {
    expect(bindTroubleOf('unknown directive', settings)).toBeUndefined();
  });
});

it('tells a worker that takes requests by its title', () => {
  expect(['nginx: worker process', 'nginx: worker process is shutting down', 'nginx: master process x', ''].map(isTaking)).toEqual([true, false, false, false]);
});
