// npm start: installs and builds what is missing, then brings the whole plane up (main.ts).
import { join } from 'node:path';
import { become, env, finish, node24, prepare, root } from './prepare.mjs';

try {
  await prepare();
  become(node24, ['--disable-sigusr1', '--enable-source-maps', join(root, 'dist/infra/start/main.js'), ...process.argv.slice(2)], {
    // Compiled code is kept between starts: a quarter less to do each time.
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'),
    ...env,
  });
} catch (error) {
  finish(error);
}
