import { describe, expect, it } from '@jest/globals';
import { Health } from './health.js';

describe('Health', () => {
  it('is well when every check is', async () => {
    const health = new Health();
    health.add('database', async () => undefined);
    expect(await health.report()).toEqual({ healthy: true, checks: [{ name: 'database', healthy: true, tookMs: expect.any(Number) }] });
  });

  it('shows what a check that is well has to say', async () => {
    const health = new Health();
    health.add('isolation', async () => 'masked');
    expect((await health.report()).checks).toEqual([{ name: 'isolation', healthy: true, tookMs: expect.any(Number), detail: 'masked' }]);
  });

  it('says which check failed and why, and does not wait for one that hangs', async () => {
    const health = new Health(20);
    health.add('bus', () => Promise.reject(new Error('connection refused')));
    health.add('log', () => new Promise(() => undefined));
    health.add('thrown', () => {
      throw new Error('at once');
    });
    const report = await health.report();
    expect(report.healthy).toBe(false);
    expect(report.checks.map((check) => check.error)).toEqual(['connection refused', 'no answer after 20 ms', 'at once']);
  });
});
