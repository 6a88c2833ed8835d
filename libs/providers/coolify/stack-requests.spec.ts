import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import type { WordPressWorkload } from '../wordpress-config.js';
import { stackEnvironmentItems } from './environment.js';
import { markOf, readAppMark, readRoomMark, readStackMark, type StackMark } from './mark.js';
import { composePorts, takenPorts } from './ports.js';
import { changeStack, createStack, deleteStack, restartStack, stopStack } from './stack-requests.js';
import { defaultSettings, type CoolifySettings } from './settings.js';
import { imageMark, versionIn, wordpressCompose } from './wordpress-compose.js';

const settings: CoolifySettings = {
  ...defaultSettings, plane: 'p1', url: 'http://coolify.test', token: 't',
  wordpress: { image: 'wordpress:6.8-php{php}-apache', phpVersion: '8.3', user: '33:33', tlsPort: 8443 },
  database: { image: 'mariadb:11.8', user: '999:999', limits: { memoryBytes: 1_073_741_824, cpus: 2, pids: 1024 } },
};
const siteId = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const projectId = '0190b4c6-7f3e-7c3a-9a57-0123456789ac';
const wordpress = { phpVersion: '', title: "Tom's \"$HOME\"", adminUser: 'tom', adminEmail: '', locale: '', database: 'own' };
const spec: WordPressWorkload = { ...WorkloadSpec.fromJSON({ siteId, projectId, name: 'blog', kind: 'wordpress', runtime: 'coolify', power: 'running', url: 'http://blog.test:8080' }), wordpress };
const mark: StackMark = { plane: 'p1', project: projectId, site: siteId, data: siteId, spec: 'abc', image: '0123abcd', state: 'live', restarted: 5, port: 20_001 };
const place = { projectUuid: 'pr', environmentUuid: 'en', environmentName: 'production', serverUuid: 'se', destinationUuid: 'de' };
const compose = wordpressCompose(settings, spec, { port: 20_001, version: '12345678-lx0' });
const DATA = 'hp_agiljrt7hz6dvgsxaerukz4jvm';

describe('the compose file of a WordPress', () => {
  it('is PHP with a port and a database server without one, both without privileges, with names of secrets in the place of secrets', () => {
    const { services, volumes } = parse(compose) as { services: Record<string, Record<string, unknown>>; volumes: object };
    const limits = { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], restart: 'unless-stopped' };
    expect(services['wordpress']).toEqual({
      ...limits, image: 'wordpress:6.8-php8.3-apache', entrypoint: ['/bin/sh', '-c'], command: [expect.stringMatching(/^printf %s [A-Za-z0-9+/=]+ \| base64 -d > \/run\/hostplane-start && exec sh \/run\/hostplane-start$/)],
      environment: {
        WORDPRESS_DB_HOST: 'database', WORDPRESS_DB_NAME: DATA, WORDPRESS_DB_USER: DATA, SITE_URLS: 'http://blog.test:8080 https://blog.test:8443', SITE_VERSION: '12345678-lx0',
        SITE_DATABASE_PASSWORD: '${SITE_DATABASE_PASSWORD}', SITE_ADMIN_PASSWORD: '${SITE_ADMIN_PASSWORD}',
      },
      ports: ['20001:80'], volumes: ['data:/var/www/html'], tmpfs: [expect.stringMatching(/^\/tmp:.*noexec/), expect.stringMatching(/^\/run:.*noexec/)], user: '33:33', mem_limit: 536_870_912, memswap_limit: 536_870_912, cpus: 1, pids_limit: 256,
    });
    expect(services['database']).toMatchObject({ ...limits, image: 'mariadb:11.8', user: '999:999', environment: { MARIADB_DATABASE: DATA, MARIADB_USER: DATA, MARIADB_PASSWORD: '${SITE_DATABASE_PASSWORD}', MARIADB_ROOT_HOST: 'localhost' }, mem_limit: 1_073_741_824, pids_limit: 1024 });
    expect([Object.keys(services['database']!).includes('ports'), volumes, versionIn(compose), composePorts(compose)]).toEqual([false, { data: {}, database: {} }, '12345678-lx0', [20_001]]);
  });
  it('has no sign that compose would read as its own, whatever people call their site', () => {
    expect(compose.replaceAll(/\$\{SITE_(DATABASE|ADMIN)_PASSWORD\}/g, '')).not.toContain('$');
  });
  it('tells one image of PHP from another', () => {
    expect([imageMark(settings, spec), imageMark(settings, { ...spec, wordpress: { ...wordpress, phpVersion: '8.3' } }) === imageMark(settings, spec), imageMark(settings, { ...spec, wordpress: { ...wordpress, phpVersion: '8.4' } }) === imageMark(settings, spec)]).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/), true, false]);
  });
});

describe('what is asked of Coolify for a service', () => {
  const raw = Buffer.from(compose).toString('base64');
  const description = `Kept by Hostplane, do not edit. plane=p1 project=${projectId} site=${siteId} data=${siteId} spec=abc image=0123abcd state=live restarted=5 port=20001`;
  it('is a compose file with our mark, started by nobody', () => {
    const name = 'hp-wp-blog-agiljrt7hz6dvgsxaerukz4jvm';
    expect(createStack(spec, mark, place, compose)).toMatchObject({
      method: 'POST', path: '/services', isCreation: true,
      body: { name, description, project_uuid: 'pr', environment_name: 'production', environment_uuid: 'en', server_uuid: 'se', destination_uuid: 'de', docker_compose_raw: raw, instant_deploy: false },
    });
    expect(changeStack('u', name, mark, compose)).toMatchObject({ method: 'PATCH', path: '/services/u', body: { name, description, docker_compose_raw: raw, instant_deploy: false } });
  });
  it('says each flag that would be true by itself', () => {
    expect([deleteStack('u').query, stopStack('u').query, restartStack('u').query]).toEqual([
      { delete_configurations: true, delete_volumes: true, docker_cleanup: false, delete_connected_networks: true }, { docker_cleanup: false }, { latest: false },
    ]);
  });
  it('has its variables in the fields that are described for services', () => {
    expect(stackEnvironmentItems({ A: 'b' })).toEqual([{ key: 'A', value: 'b', is_preview: false, is_literal: true, is_multiline: false, is_shown_once: true }]);
  });
  it('is found again by its mark, which is no app\'s and no project\'s, and no other plane\'s', () => {
    expect([readStackMark(markOf(mark), 'p1'), readStackMark(markOf(mark), 'p2'), readStackMark('mine', 'p1')]).toEqual([mark, undefined, undefined]);
    expect([readAppMark(markOf(mark), 'p1')?.site, readRoomMark(markOf(mark), 'p1'), readStackMark(markOf({ plane: 'p1', project: projectId, site: siteId, spec: 'abc', state: 'live', restarted: 0, spare: 0 }), 'p1')]).toEqual([siteId, undefined, undefined]);
  });
});

it('takes no port that anything of Coolify has, nor one that an edge may still lead to', () => {
  const app = { uuid: 'a', name: 'a', description: markOf({ plane: 'p1', project: projectId, site: siteId, spec: 'x', state: 'live', restarted: 0, spare: 20_007 }), ports_mappings: '20005:80,20006:81' };
  const service = { uuid: 's', name: 's', docker_compose_raw: 'services:\n  a:\n    ports:\n      - "20008:80"\n      - 127.0.0.1:20009:81/tcp\n      - 8080\n' };
  expect([...takenPorts('p1', 'another', [app], [service])].sort()).toEqual([20_005, 20_006, 20_007, 20_008, 20_009]);
  expect(takenPorts('p1', siteId, [app], [service]).has(20_007)).toBe(false);
});
