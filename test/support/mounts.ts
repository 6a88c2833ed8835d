import { spawnSync } from 'node:child_process';

/** Whether this process may mount: root of a container often may not. Where everything must run (CI), root has to. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0 && (Boolean(process.env['CI']) || spawnSync('unshare', ['--mount', 'true']).status === 0);
