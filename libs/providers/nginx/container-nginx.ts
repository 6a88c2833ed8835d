import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { takenPortMessage } from '../edge/taken-port.js';
import { ProviderError } from '../provider-error.js';
import { checkRequest, containerRequest, EDGE_LABEL, SPEC_LABEL, specOf } from './container-request.js';
import { bindTroubleOf, errorsOf, isTaking, type NginxProcess } from './nginx-process.js';
import { closedFolderOf, closedTo, ROOT } from './worker-user.js';

const STOP_TIMEOUT_S = 5;
const GONE_TIMEOUT_MS = 20_000;
/** A configuration that nginx cannot run with shows within this time. */
const SETTLE_MS = 150;

/** nginx in a container on the host's network, so that it reaches every site's container and restarts by itself with the engine. */
export class ContainerNginx implements NginxProcess {
  readonly name = 'nginx-container';

  constructor(
    private readonly settings: EdgeSettings,
    private readonly image: string,
    private readonly docker: Docker = new Docker(),
  ) {}

  async available(): Promise<true | string> {
    try {
      await this.docker.ping();
    } catch (error) {
      return `no container engine answers (${messageOf(error)})`;
    }
    const isThere = await this.docker.getImage(this.image).inspect().then(() => true, () => false);
    return isThere || `the image ${this.image} is not on this machine: pull it, or set HOSTPLANE_NGINX_IMAGE`;
  }

  async workerUser(): Promise<{ name: string; group: string } | undefined> {
    const serving = await this.serving();
    if (serving?.reason !== undefined) this.settings.log?.(`nginx serves as root: ${serving.reason}`);
    return serving?.user;
  }

  /** In the container only the mounted folders themselves can be closed; nobody's numbers are the same in every image. */
  private async serving(): Promise<{ user: { name: string; group: string }; reason?: string } | undefined> {
    if (process.getuid?.() !== 0) return undefined;
    const closed = (await closedFolderOf(this.settings.sitesFolder, true)) ?? (await closedFolderOf(this.settings.folder, true));
    return closed === undefined ? { user: { name: 'nginx', group: 'nginx' } } : { user: ROOT, reason: closedTo(closed) };
  }

  /** Asked in a container that only tells them: they differ from image to image. */
  async workerIds(): Promise<{ uid: number; gid: number } | undefined> {
    const user = (await this.serving())?.user;
    if (!user) return undefined;
    const { code, output } = await this.runOnce(['-c', `id -u ${user.name} && id -g ${user.name}`], 'sh');
    const [uid, gid] = (output.match(/\d+/g) ?? []).map(Number);
    if (code !== 0 || uid === undefined || gid === undefined) throw new ProviderError(`The image ${this.image} has no user ${user.name}: ${output.slice(0, 200)}`, false);
    return { uid, gid };
  }

  /** Asks the running container; where none runs, one that only checks. */
  async complaint(configFile: string): Promise<string | undefined> {
    const container = await this.find();
    const { code, output } = container?.State === 'running' ? await this.execute(container.Id, this.check(configFile)) : await this.runOnce(this.check(configFile));
    return code === 0 ? undefined : errorsOf(output);
  }

  async isRunning(): Promise<boolean> {
    return (await this.find())?.State === 'running';
  }

  async start(configFile: string): Promise<void> {
    await this.stop();
    const taken = await takenPortMessage(this.settings);
    if (taken !== undefined) throw new ProviderError(taken, false);
    const container = await asked('make the edge container', this.docker.createContainer(containerRequest(this.settings, this.image, configFile)));
    await asked('start the edge container', container.start());
    await sleep(SETTLE_MS);
    const { State } = await asked('look at the edge container', container.inspect());
    if (State.Running && !State.Restarting) return;
    const output = await this.outputOf(container);
    await this.stop();
    const trouble = bindTroubleOf(output, this.settings);
    if (trouble !== undefined) throw new ProviderError(trouble, false);
    throw new ProviderError(`nginx did not start in its container: ${errorsOf(output)}`, true);
  }

  async reload(): Promise<void> {
    const container = await this.find();
    if (!container) throw new ProviderError('The edge container ended before it could take its new configuration.', true);
    await asked('reload nginx', this.docker.getContainer(container.Id).kill({ signal: 'SIGHUP' }));
  }

  async takingWorkers(): Promise<number | undefined> {
    return this.titles().then((titles) => titles.filter(isTaking).length, () => undefined);
  }

  async stop(): Promise<void> {
    for (const { Id } of await this.all()) {
      const container = this.docker.getContainer(Id);
      await gone(container.stop({ t: STOP_TIMEOUT_S, signal: 'SIGTERM' }), 304, 404);
      await gone(container.remove({ force: true }), 404, 409);
    }
    for (const deadline = Date.now() + GONE_TIMEOUT_MS; (await this.all()).length > 0; await sleep(20)) {
      if (Date.now() > deadline) throw new ProviderError('The edge container does not go away.', true);
    }
  }

  private async titles(): Promise<string[]> {
    const container = await this.find();
    if (!container) return [];
    const { Processes } = (await asked('list the processes of the edge', this.docker.getContainer(container.Id).top({ ps_args: '-o pid,args' }))) as { Processes: string[][] };
    return Processes.map(([, ...title]) => title.join(' '));
  }

  /** The container that serves, if it is as it would be made today: another image or folder makes another one. */
  private async find(): Promise<Docker.ContainerInfo | undefined> {
    const spec = specOf(this.settings, this.image);
    return (await this.all()).find(({ Labels }) => Labels[SPEC_LABEL] === spec);
  }

  /** Every container of this edge, those that only check among them. */
  private all(): Promise<Docker.ContainerInfo[]> {
    const label = [`${EDGE_LABEL}=${this.settings.planeId}`];
    return asked('list the edge containers', this.docker.listContainers({ all: true, filters: { label } }));
  }

  private check(configFile: string): string[] {
    return ['-p', this.settings.folder, '-e', `${this.settings.folder}/error.log`, '-t', '-q', '-c', configFile];
  }

  private async execute(id: string, args: readonly string[]): Promise<{ code: number; output: string }> {
    const exec = await asked('check the configuration', this.docker.getContainer(id).exec({ Cmd: ['nginx', ...args], AttachStdout: true, AttachStderr: true, Tty: true }));
    const stream = await asked('check the configuration', exec.start({ Tty: true }));
    let output = '';
    for await (const part of stream) output += String(part);
    const { ExitCode } = await asked('check the configuration', exec.inspect());
    return { code: ExitCode ?? 1, output };
  }

  private async runOnce(args: readonly string[], program = 'nginx'): Promise<{ code: number; output: string }> {
    const container = await asked('make a container that checks', this.docker.createContainer(checkRequest(this.settings, this.image, args, program)));
    try {
      await asked('start a container that checks', container.start());
      const { StatusCode } = (await asked('wait for a container that checks', container.wait())) as { StatusCode: number };
      return { code: StatusCode, output: await this.outputOf(container) };
    } finally {
      await gone(container.remove({ force: true }), 404, 409);
    }
  }

  private async outputOf(container: Docker.Container): Promise<string> {
    return (await asked('read the output of nginx', container.logs({ stdout: true, stderr: true }))).toString('utf8');
  }
}

/** Passes on what the engine answers; what it refuses is the world's fault. */
async function asked<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode;
    throw new ProviderError(`The container engine could not ${what}: ${messageOf(error)}`, status === undefined || status >= 500 || status === 409, { cause: error });
  }
}

/** Waits for what may have been done before: these answers of the engine mean that it was. */
async function gone(answer: Promise<unknown>, ...done: readonly number[]): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!done.includes((error as { statusCode?: number }).statusCode ?? 0)) await asked('stop the edge container', Promise.reject(error as Error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
