import { expect, it } from '@jest/globals';
import { keepsData } from './needs.js';

it.each([
  ['static', 'files', false], ['static', 'docker', false], ['app', 'docker', true], ['wordpress', 'docker', true], ['app', 'coolify', false],
])('a %s site on %s keeps data that can be measured: %p', (kind, runtime, keeps) => expect(keepsData({ kind, runtime })).toBe(keeps));
