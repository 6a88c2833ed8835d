import { expect, it } from '@jest/globals';
import { checkRequest, containerRequest, specOf } from './container-request.js';

const settings = { planeId: 'plane-1', folder: '/data/edge', sitesFolder: '/data/sites', bind: '127.0.0.1', httpPort: 8080, httpsPort: 8443, baseDomain: 'localhost' };
const user = { uid: 1000, gid: 1000 };

it('asks for a container that can do no more than serve', () => {
  expect(containerRequest(settings, 'nginx:x', '/data/edge/current/nginx.conf', user)).toEqual({
    name: 'hostplane-edge-plane-1',
    Image: 'nginx:x',
    Entrypoint: ['nginx'],
    Cmd: ['-p', '/data/edge', '-e', '/data/edge/error.log', '-c', '/data/edge/current/nginx.conf', '-g', 'daemon off;'],
    Env: ['MALLOC_TRIM_THRESHOLD_=131072'],
    Labels: { 'hostplane.edge': 'plane-1', 'hostplane.edge-spec': specOf(settings, 'nginx:x', user) },
    User: '1000:1000',
    HostConfig: {
      NetworkMode: 'host',
      Mounts: [
        { Type: 'bind', Source: '/data/edge', Target: '/data/edge' },
        { Type: 'bind', Source: '/data/sites', Target: '/data/sites', ReadOnly: true },
      ],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: [],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 512,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
      RestartPolicy: { Name: 'unless-stopped' },
    },
  });
});

it('gives a master that starts as root what it needs to give its rights up', () => {
  expect(containerRequest(settings, 'nginx:x', 'c', { uid: 0, gid: 0 }).HostConfig!.CapAdd).toEqual(['CHOWN', 'DAC_OVERRIDE', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID']);
});

it('asks for another container when the image, a folder or the user is another', () => {
  const other = [specOf(settings, 'nginx:y', user), specOf({ ...settings, sitesFolder: '/sites' }, 'nginx:x', user), specOf(settings, 'nginx:x', { uid: 0, gid: 0 })];
  expect(new Set([specOf(settings, 'nginx:x', user), ...other]).size).toBe(4);
});

it('checks in a container that ends and has no name to take', () => {
  const request = checkRequest(settings, 'nginx:x', ['-t'], 'nginx', user);
  expect([request.name, request.HostConfig!.RestartPolicy, request.Labels]).toEqual([undefined, undefined, { 'hostplane.edge': 'plane-1' }]);
});
