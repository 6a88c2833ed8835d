import { describe, expect, it } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { visibleLines } from './answers.js';
import { environmentItems } from './environment.js';
import { markOf, readAppMark, readRoomMark, type AppMark } from './mark.js';
import { choosePort, hostPorts } from './ports.js';
import { createApplication, createDestination, createProject, deleteApplication, deployApplication, markApplication, setEnvironment, stopApplication, type AppWorkload } from './requests.js';
import { defaultSettings, type CoolifySettings } from './settings.js';

const settings: CoolifySettings = {
  ...defaultSettings, plane: 'p1', url: 'http://coolify.test', token: 't',
  wordpress: { image: 'wordpress:php{php}', phpVersion: '8.3', user: '33:33', tlsPort: 8443 },
  database: { image: 'mariadb:11', user: '999:999', limits: { memoryBytes: 1_073_741_824, cpus: 2, pids: 512 } },
};
const siteId = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const projectId = '0190b4c6-7f3e-7c3a-9a57-0123456789ac';
const HASH = '0123456789abcdef0123456789abcdef';
const NETWORK = 'hp-net-agiljrt7hz6dvgsxaerukz4jvq';
const app = { image: 'registry.test:5000/team/shop:2', port: 8080, env: {}, healthPath: '/healthz', sealedEnv: [], secretEnv: [] };
const spec: AppWorkload = { ...WorkloadSpec.fromJSON({ siteId, projectId, name: 'blog', kind: 'app', runtime: 'coolify', power: 'running' }), app };
const mark: AppMark = { plane: 'p1', project: projectId, site: siteId, spec: HASH, state: 'new', restarted: 0, spare: 20_001 };
const marked = `Kept by Hostplane, do not edit. plane=p1 project=${projectId} site=${siteId} spec=${HASH} state=new restarted=0 spare=20001`;
const place = { projectUuid: 'pr', environmentUuid: 'en', environmentName: 'production', serverUuid: 'se', destinationUuid: 'de' };

describe('what is asked of Coolify', () => {
  it('for a project: a project with our mark, and a network of its own', () => {
    expect(createProject(settings, projectId)).toEqual({
      verb: 'create-project', what: 'create the project hp-project-agiljrt7hz6dvgsxaerukz4jvq', method: 'POST', path: '/projects', isCreation: true,
      body: { name: 'hp-project-agiljrt7hz6dvgsxaerukz4jvq', description: `Kept by Hostplane, do not edit. plane=p1 project=${projectId}` },
    });
    expect(createDestination('se', projectId)).toEqual({ verb: 'create-destination', what: `create the network ${NETWORK}`, method: 'POST', path: '/servers/se/destinations', isCreation: true, body: { name: NETWORK, network: NETWORK } });
  });

  it('for an app: its image on a port of the server, checked and limited, and nothing of its own accord', () => {
    expect(createApplication(settings, spec, mark, place, 20_000)).toEqual({
      verb: 'create-application', what: 'create the application hp-app-blog-agiljrt7hz6dvgsxaerukz4jvm-01234567', method: 'POST', path: '/applications/dockerimage', isCreation: true,
      body: {
        name: 'hp-app-blog-agiljrt7hz6dvgsxaerukz4jvm-01234567',
        description: marked,
        project_uuid: 'pr',
        environment_name: 'production',
        environment_uuid: 'en',
        server_uuid: 'se',
        destination_uuid: 'de',
        docker_registry_image_name: 'registry.test:5000/team/shop',
        docker_registry_image_tag: '2',
        ports_exposes: '8080',
        ports_mappings: '20000:8080',
        health_check_enabled: true,
        health_check_path: '/healthz',
        health_check_method: 'GET',
        health_check_scheme: 'http',
        health_check_interval: 5,
        health_check_timeout: 5,
        health_check_retries: 10,
        health_check_start_period: 5,
        limits_memory: '536870912b',
        limits_memory_swap: '536870912b',
        limits_cpus: '1',
        custom_docker_run_options: '--cap-drop=ALL --cap-add=NET_BIND_SERVICE',
        autogenerate_domain: false,
        instant_deploy: false,
      },
    });
  });

  const bodyOf = (change: Partial<AppWorkload>, more: Partial<typeof app> = {}) => createApplication(settings, { ...spec, ...change, app: { ...app, ...more } }, mark, place, 20_000).body;

  it.each([
    ['nginx', { docker_registry_image_name: 'nginx' }],
    ['nginx:1.28', { docker_registry_image_name: 'nginx', docker_registry_image_tag: '1.28' }],
    ['host:5000/a/b', { docker_registry_image_name: 'host:5000/a/b' }],
    [`a/b:1@sha256:${'0'.repeat(64)}`, { docker_registry_image_name: `a/b@sha256:${'0'.repeat(64)}` }],
  ])('for the image %s', (image, fields) => expect(Object.entries(bodyOf({}, { image }) as object).filter(([name]) => name.startsWith('docker_'))).toEqual(Object.entries(fields)));

  it('for a site with limits of its own, and for a path that Coolify does not take', () => {
    expect(bodyOf({ limits: { memoryBytes: 1024, cpuMillis: 250, pids: 9 } })).toMatchObject({ limits_memory: '1024b', limits_memory_swap: '1024b', limits_cpus: '0.25' });
    expect(bodyOf({}, { healthPath: '/up?deep=1' })).toMatchObject({ health_check_enabled: false });
  });

  it('for its environment: each value as it is, hidden in Coolify\'s pages; nothing where there is none', () => {
    const flags = { is_preview: false, is_literal: true, is_shown_once: true, is_runtime: true, is_buildtime: false };
    expect(setEnvironment('a1', { B: 'two\nlines', A: '$x' })).toEqual({
      verb: 'set-environment', what: 'set the environment of the application a1', method: 'PATCH', path: '/applications/a1/envs/bulk',
      body: { data: [{ key: 'A', value: '$x', ...flags, is_multiline: false }, { key: 'B', value: 'two\nlines', ...flags, is_multiline: true }] },
    });
    expect(setEnvironment('a1', {})).toBeUndefined();
  });

  it('to mark, to deploy, to stop and to delete: with every flag said', () => {
    expect([markApplication('a1', mark), deployApplication('a1'), stopApplication('a1'), deleteApplication('a1', false)]).toEqual([
      { verb: 'mark-application', what: 'mark the application a1', method: 'PATCH', path: '/applications/a1', body: { description: marked } },
      { verb: 'deploy-application', what: 'deploy the application a1', method: 'POST', path: '/deploy', query: { uuid: 'a1' } },
      { verb: 'stop-application', what: 'stop the application a1', method: 'POST', path: '/applications/a1/stop', query: { docker_cleanup: false } },
      { verb: 'remove-application', what: 'delete the application a1', method: 'DELETE', path: '/applications/a1', query: { delete_configurations: true, delete_volumes: false, docker_cleanup: false, delete_connected_networks: false } },
    ]);
  });
});

describe('a mark', () => {
  it('is read as it was written, and only by its own plane', () => {
    expect(readAppMark(markOf(mark), 'p1')).toEqual(mark);
    expect(readRoomMark(markOf({ plane: 'p1', project: projectId }), 'p1')).toEqual({ plane: 'p1', project: projectId });
    expect([readAppMark(markOf(mark), 'p2'), readRoomMark(markOf(mark), 'p1'), readAppMark('plane=p1 site=x', 'p1'), readAppMark(null, 'p1'), readAppMark(`x ${marked}`, 'p1')]).toEqual(Array(5).fill(undefined));
  });
  it('holds only what Coolify\'s forms take', () => expect(markOf(mark)).toMatch(/^[\p{L}\p{M}\p{N}\s\-_.,!?()'"+=*@/&]+$/u));
});

describe('a port', () => {
  it('is the same each time, and the next free one where it is taken', () => {
    const range = { first: 100, last: 102 };
    const own = choosePort(siteId, range, new Set());
    const next = choosePort(siteId, range, new Set([own]));
    expect([choosePort(siteId, range, new Set()), next, [own, next].every((port) => port >= 100 && port <= 102)]).toEqual([own, own === 102 ? 100 : own + 1, true]);
    expect(() => choosePort(siteId, range, new Set([100, 101, 102]))).toThrow(/All 3 ports from 100 to 102.*COOLIFY_PORTS/);
  });
  it('is found in mappings', () => expect([hostPorts('80:8080,443:8443'), hostPorts(null), hostPorts('')]).toEqual([[80, 443], [], []]));
});

describe('a log', () => {
  it('shows what is not hidden, a text that is no list as it is, and tells when it may not be read', () => {
    expect(visibleLines(JSON.stringify([{ output: 'a\nb', hidden: false }, { output: 'secret', hidden: true }, { output: null }]))).toEqual(['a', 'b']);
    expect([visibleLines('plain\ntext'), visibleLines(null)]).toEqual([['plain', 'text'], undefined]);
  });
});

describe('a value that Coolify would change', () => {
  it.each([["it's"], [' x'], ['x\n'], ['{{team.x}}'], ['{"a":"$b"}'], ['["a #b"]']])('%j is refused', (value) => expect(() => environmentItems({ KEY: value })).toThrow(/variable KEY/));
  it.each([[''], ['a"b\\c$d #e'], ['two\nlines'], ['{"it":"\'s"}'], ['{not json']])('%j is taken', (value) => expect(environmentItems({ KEY: value })[0]!.value).toBe(value));
});
