import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { render } from '#providers/nginx/render.js';
import { describeWithNginx } from '../../test/support/docker.js';
import { acceptedNames } from '../../test/support/hostile-names.js';

describeWithNginx('of two thousand hostile names', () => {
  it('none that is accepted breaks nginx, as a name or as the target of a redirect', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostplane-names-'));
    try {
      const all = [...new Set(acceptedNames('sites.example.net'))];
      const half = all.slice(0, all.length / 2);
      const redirects = all.slice(half.length).map((hostname) => ({ hostname, to: half[0]!, status: 301 })).concat([{ hostname: 'www.last.example.com', to: all.at(-1)!, status: 308 }]);
      mkdirSync(join(folder, 'temp'));
      const settings = { planeId: 'plane', folder, sitesFolder: folder, bind: '127.0.0.1', httpPort: 1_080, httpsPort: 1_443, certFile: join(folder, 'c.pem'), keyFile: join(folder, 'k.pem'), canDefer: false, workers: 1 };
      const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=x', '-keyout', settings.keyFile, '-out', settings.certFile]);
      expect(made.status).toBe(0);
      const route = { siteId: 's', hostnames: half, target: { address: '', port: 0, root: 's/current' }, state: 'up' as const, redirects };
      const file = join(folder, 'nginx.conf');
      writeFileSync(file, render({ revision: 1, routes: [route] }, settings).files['nginx.conf']!);
      const tested = spawnSync('nginx', ['-t', '-c', file, '-p', folder], { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` } });
      expect(tested.stderr).toMatch(/test is successful/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
