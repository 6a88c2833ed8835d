import { spawn } from 'node:child_process';

/** Opens an http address with what the system has for that; nothing happens where it has none. */
export function openInBrowser(url: string): void {
  if (!/^https?:\/\//.test(url)) return;
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
