import { describe, expect, it } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { appRequest, dataVolumeRequest, networkRequest, releaseVolumeRequest, staticRequest, uploadRequest } from './requests.js';
import { busyboxImage, defaultSettings, nginxImage, type DockerSettings } from './settings.js';

const settings: DockerSettings = { ...defaultSettings, plane: 'p1', staticImage: busyboxImage('web:1') };
const siteId = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const projectId = '0190b4c6-7f3e-7c3a-9a57-0123456789ac';
const spec = WorkloadSpec.fromJSON({ siteId, projectId, name: 'blog', kind: 'static', runtime: 'docker', subnet: '10.77.3.0/24', address: '10.77.3.5', power: 'running' });
const app = { ...spec, kind: 'app', app: { image: 'shop:2', port: 8080, env: { KEY: 'secret' }, healthPath: '/healthz', sealedEnv: [], secretEnv: [] } };
const HASH = '0123456789abcdef0123456789abcdef';
const NETWORK = 'hp-net-agiljrt7hz6dvgsxaerukz4jvq';
const labels = { 'hostplane.plane': 'p1', 'hostplane.project': projectId, 'hostplane.site': siteId };
const noCopy = { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } };
const bounds = { NetworkMode: NETWORK, RestartPolicy: { Name: 'unless-stopped' }, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'], LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } } };
const at = { EndpointsConfig: { [NETWORK]: { IPAMConfig: { IPv4Address: '10.77.3.5' } } } };

describe('what is asked of the engine', () => {
  it('for a project: a bridge with its own subnet', () => {
    expect(networkRequest(settings, projectId, '10.77.3.0/24')).toEqual({
      Name: NETWORK,
      CheckDuplicate: true,
      Driver: 'bridge',
      IPAM: { Driver: 'default', Config: [{ Subnet: '10.77.3.0/24', Gateway: '10.77.3.1' }] },
      Labels: { 'hostplane.plane': 'p1', 'hostplane.project': projectId },
    });
  });

  it('for a static site: nothing to write to, no root, no capability', () => {
    expect(staticRequest(settings, spec, HASH)).toEqual({
      name: 'hp-static-blog-agiljrt7hz6dvgsxaerukz4jvm',
      Image: 'web:1',
      Cmd: ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/srv'],
      User: '65534:65534',
      StopSignal: 'SIGKILL',
      StopTimeout: 10,
      Labels: { ...labels, 'hostplane.role': 'workload', 'hostplane.spec': HASH, 'hostplane.address': '10.77.3.5', 'hostplane.port': '80', 'hostplane.health': '' },
      HostConfig: {
        ...bounds,
        Memory: 67_108_864,
        MemorySwap: 67_108_864,
        NanoCpus: 500_000_000,
        PidsLimit: 64,
        ReadonlyRootfs: true,
        Tmpfs: {},
        Mounts: [{ Type: 'volume', Source: 'hp-web-blog-agiljrt7hz6dvgsxaerukz4jvm-0123456789ab', Target: '/srv', ReadOnly: true, VolumeOptions: noCopy }],
      },
      NetworkingConfig: at,
    });
  });

  it('for a static site by nginx: its own user, and tmpfs where it writes', () => {
    const { User, Cmd, HostConfig } = staticRequest({ ...settings, staticImage: nginxImage('nginx:1') }, spec, HASH);
    expect({ User, Cmd, tmpfs: Object.keys(HostConfig!.Tmpfs as object), docroot: HostConfig!.Mounts![0]!.Target }).toEqual({ User: '101:101', Cmd: undefined, tmpfs: ['/var/cache/nginx', '/run', '/tmp'], docroot: '/usr/share/nginx/html' });
  });

  it('for an app: its own user and root, a low port at most, and its volumes', () => {
    expect(appRequest(settings, app, HASH, new Map([['/data', 'vol']]))).toEqual({
      name: 'hp-app-blog-agiljrt7hz6dvgsxaerukz4jvm',
      Image: 'shop:2',
      Env: ['KEY=secret'],
      StopTimeout: 10,
      Labels: { ...labels, 'hostplane.role': 'workload', 'hostplane.spec': HASH, 'hostplane.address': '10.77.3.5', 'hostplane.port': '8080', 'hostplane.health': '/healthz' },
      HostConfig: { ...bounds, CapAdd: ['NET_BIND_SERVICE'], Memory: 536_870_912, MemorySwap: 536_870_912, NanoCpus: 1e9, PidsLimit: 256, Mounts: [{ Type: 'volume', Source: 'vol', Target: '/data' }] },
      NetworkingConfig: at,
    });
  });

  it('for volumes: names that cannot collide, labels that say whose they are', () => {
    expect(releaseVolumeRequest(settings, spec, HASH)).toEqual({ Name: 'hp-web-blog-agiljrt7hz6dvgsxaerukz4jvm-0123456789ab', Labels: { ...labels, 'hostplane.role': 'release', 'hostplane.spec': HASH } });
    const data = dataVolumeRequest(settings, app, '/data');
    expect(data).toEqual({ Name: expect.stringMatching(/^hp-data-blog-agiljrt7hz6dvgsxaerukz4jvm-[a-z2-7]{10}$/), Labels: { ...labels, 'hostplane.role': 'data', 'hostplane.path': '/data' } });
    expect(dataVolumeRequest(settings, app, '/other').Name).not.toBe(data.Name);
  });

  it('for an upload: a container without a network that holds the volume', () => {
    expect(uploadRequest(settings, spec, 'vol')).toEqual({
      name: 'hp-upload-blog-agiljrt7hz6dvgsxaerukz4jvm',
      Image: 'web:1',
      Cmd: ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/srv'],
      Labels: { ...labels, 'hostplane.role': 'upload' },
      HostConfig: { NetworkMode: 'none', Mounts: [{ Type: 'volume', Source: 'vol', Target: '/hostplane-release', ReadOnly: false, VolumeOptions: noCopy }] },
    });
  });

  it('never holds a value of the environment in a label', () => {
    expect(JSON.stringify(appRequest(settings, app, HASH, new Map()).Labels)).not.toContain('secret');
  });
});
