import { expect, it } from '@jest/globals';
import { databaseServer, keepsData, needsOf } from './needs.js';

it.each([
  ['static', 'files', false], ['static', 'docker', false], ['app', 'docker', true], ['wordpress', 'docker', true], ['app', 'coolify', false],
])('a %s site on %s keeps data that can be measured: %p', (kind, runtime, keeps) => expect(keepsData({ kind, runtime })).toBe(keeps));

it('counts the database server that comes with a WordPress at Coolify', () => {
  const usual = { memoryBytes: 512, cpuMillis: 1000 };
  const needs = (kind: string, runtime: string) => needsOf({ kind, runtime, limits: undefined, content: undefined }, usual, databaseServer);
  expect(needs('wordpress', 'coolify')).toMatchObject({ sites: 1, memoryBytes: 512 + databaseServer.memoryBytes, cpuMillis: 1000 + databaseServer.cpuMillis });
  expect([needs('wordpress', 'docker'), needs('app', 'coolify')]).toMatchObject([usual, usual]);
});
