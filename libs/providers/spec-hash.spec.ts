import { describe, expect, it } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { specHash } from './spec-hash.js';

const spec = WorkloadSpec.fromJSON({ siteId: 's', projectId: 'p', power: 'running', app: { image: 'i', port: 80, env: { B: '2', A: '1' } } });

describe('the hash of a spec', () => {
  it('is the same whatever the order of its keys', () => {
    expect(specHash({ ...spec, app: { ...spec.app!, env: { A: '1', B: '2' } } })).toBe(specHash(spec));
  });
  it('is the same for another power or restart', () => {
    expect(specHash({ ...spec, power: 'stopped', restartedAfter: '2026-01-01T00:00:00Z' })).toBe(specHash(spec));
  });
  it('is another for anything else', () => {
    const others = [{ ...spec, releaseId: 'r' }, { ...spec, address: '10.0.0.2' }, { ...spec, app: { ...spec.app!, env: { A: '1' } } }, { ...spec, app: undefined }];
    expect(new Set([spec, ...others].map(specHash)).size).toBe(5);
  });
});
