import type { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInfo, ContainerInspectInfo, DockerOptions, ImageInspectInfo, NetworkCreateOptions, NetworkInspectInfo, VolumeCreateOptions, VolumeInspectInfo } from 'dockerode';
import { reached } from '#contracts/probe.js';
import { lastWords } from '../last-words.js';
import { ProviderError } from '../provider-error.js';
import { standardOutput } from './frames.js';
import { framesOf, outputOf, wholeLines } from './output.js';

const CALL_MS = 60_000;
const TRANSFER_MS = 600_000;
const LOG_LINES = 20;
const STDERR_CHARACTERS = 4_096;
const OUTPUT_BYTES = 8 * 1024 ** 2;

type Labels = Readonly<Record<string, string>>;
interface CallOptions {
  /** Statuses that mean that it is so already; the answer is undefined then. */
  readonly fine?: readonly number[];
  readonly timeoutMs?: number;
}

/** What a command in a container ended with. */
export interface Executed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Sends requests to a Docker Engine and says what became of them: an engine that does not answer, or fails by itself, is a retryable ProviderError;
 * a request that it refuses is not. Each call passes the probes `docker:<verb>` and `docker:<verb>:done`, has a time limit and obeys the signal.
 */
export class Engine {
  private readonly docker: Docker;

  /** Without options: DOCKER_HOST, or the local socket. */
  constructor(options?: DockerOptions) {
    this.docker = new Docker(options);
  }

  /** Whether its networks are those of this machine. */
  get isLocal(): boolean {
    return this.socket !== undefined;
  }

  async version(signal?: AbortSignal): Promise<string> {
    const { Version } = (await this.call('version', 'ask the engine for its version', signal, () => this.docker.version()))!;
    return Version;
  }

  async containers(labels: Labels, signal?: AbortSignal): Promise<ContainerInfo[]> {
    return (await this.call('list-containers', 'list containers', signal, (abortSignal) => this.docker.listContainers({ all: true, filters: { label: pairs(labels) }, abortSignal })))!;
  }

  inspectContainer(id: string, signal?: AbortSignal): Promise<ContainerInspectInfo | undefined> {
    return this.call('inspect-container', `inspect container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).inspect({ abortSignal }), { fine: [404] });
  }

  /** Answers the container's id. The image must be here already. */
  async createContainer({ name, ...body }: ContainerCreateOptions, signal?: AbortSignal): Promise<string> {
    const request = { _query: { name }, _body: body } as unknown as ContainerCreateOptions;
    return (await this.call('create-container', `create container ${name}`, signal, (abortSignal) => this.docker.createContainer({ ...request, abortSignal })))!.id;
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('start-container', `start container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).start({ abortSignal }), { fine: [304] });
  }

  async restartContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('restart-container', `restart container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).restart({ abortSignal }));
  }

  async stopContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('stop-container', `stop container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).stop({ abortSignal }), { fine: [304, 404] });
  }

  async renameContainer(id: string, name: string, signal?: AbortSignal): Promise<void> {
    await this.call('rename-container', `rename container ${id} to ${name}`, signal, (abortSignal) => this.docker.getContainer(id).rename({ name, abortSignal }));
  }

  /** Removes a container, running or not, with its nameless volumes, and returns once it is gone. */
  async removeContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('remove-container', `remove container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).remove({ force: true, v: true, abortSignal }), { fine: [404, 409] });
    for (let wait = 5; await this.inspectContainer(id, signal); wait = Math.min(wait * 2, 500)) {
      if (wait === 500) await this.call('remove-container', `remove container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).remove({ force: true, v: true, abortSignal }), { fine: [404, 409] });
      await sleep(wait, undefined, { signal });
    }
  }

  /**
   * How a container ended last; undefined where the engine, which remembers some hundred events, does not know any more. What the container's state says
   * is of its newest run, and by its restart policy an engine may have begun another one already.
   */
  async lastExitCode(id: string, signal?: AbortSignal): Promise<number | undefined> {
    const past = { since: 0, until: Date.now() / 1000, filters: { container: [id], event: ['die'] } };
    const ends = await this.call('events', `ask how container ${id} ended`, signal, async (abortSignal) => bufferOf((await this.docker.getEvents({ ...past, abortSignal })) as Readable));
    const last = ends!.toString('utf8').trim().split('\n').at(-1);
    return last ? Number((JSON.parse(last) as { Actor: { Attributes: { exitCode: string } } }).Actor.Attributes.exitCode) : undefined;
  }

  /** The last that a container wrote, without any of these values. */
  async lastLog(id: string, values: readonly string[], signal?: AbortSignal): Promise<string> {
    const raw = await this.call('logs', `read the log of container ${id}`, signal, (abortSignal) => this.docker.getContainer(id).logs({ stdout: true, stderr: true, follow: false, tail: LOG_LINES, abortSignal }), { fine: [404] });
    return raw ? lastWords(wholeLines(framesOf(raw)), values) : '';
  }

  /** Whether a container, running or not, has something at this path. */
  async hasPath(id: string, path: string, signal?: AbortSignal): Promise<boolean> {
    const look = (abortSignal: AbortSignal) => this.docker.getContainer(id).infoArchive({ path, abortSignal }) as Promise<Readable>;
    // Its connection is held until somebody has read the answer, empty as it is.
    return (await this.call('stat', `look for ${path} in container ${id}`, signal, look, { fine: [404] }))?.resume() !== undefined;
  }

  /** Unpacks a tar stream into a folder of a container. */
  async putArchive(id: string, path: string, tar: Readable, signal?: AbortSignal, timeoutMs = TRANSFER_MS): Promise<void> {
    const put = (abortSignal: AbortSignal) => this.docker.getContainer(id).putArchive(tar, { path, abortSignal });
    await this.call('put-archive', `unpack files into container ${id}`, signal, put, { timeoutMs });
  }

  /** Runs a command in a running container, gives it `stdin`, and answers what it said once it has ended. */
  async exec(id: string, argv: readonly string[], stdin: string, signal?: AbortSignal): Promise<Executed> {
    const command = { Cmd: [...argv], AttachStdin: true, AttachStdout: true, AttachStderr: true };
    const run = async (abortSignal: AbortSignal) => {
      const exec = await this.docker.getContainer(id).exec({ ...command, abortSignal });
      const stream = await exec.start({ hijack: true, stdin: true });
      abortSignal.addEventListener('abort', () => stream.destroy(), { once: true });
      stream.end(stdin);
      const said = framesOf(await bufferOf(stream));
      const { ExitCode } = await exec.inspect();
      return { exitCode: ExitCode ?? -1, stdout: outputOf(said, 'stdout'), stderr: outputOf(said, 'stderr') };
    };
    return (await this.call('exec', `run ${argv[0]} in container ${id}`, signal, run, { timeoutMs: TRANSFER_MS }))!;
  }

  /**
   * Runs a command in a running container with streams at both ends, neither of which is held in memory, and answers how it ended and what it complained
   * of last. When the caller is killed, or the call ends, the command's input ends.
   */
  async pipe(id: string, argv: readonly string[], { stdin, stdout }: { readonly stdin: Readable; readonly stdout: Writable }, signal?: AbortSignal, timeoutMs = TRANSFER_MS): Promise<Omit<Executed, 'stdout'>> {
    const command = { Cmd: [...argv], AttachStdin: true, AttachStdout: true, AttachStderr: true };
    const run = async (abortSignal: AbortSignal) => {
      const exec = await this.docker.getContainer(id).exec({ ...command, abortSignal });
      const socket: Duplex = await exec.start({ hijack: true, stdin: true });
      abortSignal.addEventListener('abort', () => socket.destroy(abortSignal.reason as Error), { once: true });
      stdin.on('error', (error) => socket.destroy(error));
      stdin.pipe(socket);
      let stderr = '';
      try {
        await pipeline(standardOutput(socket, (bytes) => void (stderr = (stderr + bytes.toString('utf8')).slice(-STDERR_CHARACTERS))), stdout);
      } finally {
        stdin.destroy();
        socket.destroy();
      }
      const { ExitCode } = await exec.inspect();
      return { exitCode: ExitCode ?? -1, stderr };
    };
    return (await this.call('exec', `run ${argv[0]} in container ${id}`, signal, run, { timeoutMs }))!;
  }

  /** A folder of a container as a tar, whose entries begin with the folder's own name. */
  async getArchive(id: string, path: string, signal?: AbortSignal): Promise<Readable> {
    return (await this.call('get-archive', `read files of container ${id}`, signal, () => this.docker.getContainer(id).getArchive({ path }))) as unknown as Readable;
  }

  async pauseContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('pause-container', `pause container ${id}`, signal, () => this.docker.getContainer(id).pause(), { fine: [404] });
  }

  async unpauseContainer(id: string): Promise<void> {
    await this.call('unpause-container', `let container ${id} go on`, undefined, () => this.docker.getContainer(id).unpause(), { fine: [404] });
  }

  /** Bytes in each volume of the engine, by name. */
  async volumeSizes(signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const usage = (await this.call('disk-usage', 'measure its volumes', signal, () => this.docker.df(), { timeoutMs: TRANSFER_MS })) as { Volumes?: readonly { Name: string; UsageData?: { Size: number } }[] };
    return new Map((usage.Volumes ?? []).map(({ Name, UsageData }) => [Name, Math.max(0, UsageData?.Size ?? 0)]));
  }

  inspectImage(image: string, signal?: AbortSignal): Promise<ImageInspectInfo | undefined> {
    return this.call('inspect-image', `inspect image ${image}`, signal, () => this.docker.getImage(image).inspect(), { fine: [404] });
  }

  /** Brings an image here. Registries report many failures only within the progress that follows a good answer. */
  async pullImage(image: string, signal?: AbortSignal): Promise<void> {
    await this.call('pull-image', `pull image ${image}`, signal, async (abortSignal) => {
      const progress = (await this.docker.pull(tagged(image), { abortSignal })) as Readable;
      const entries = await new Promise<{ error?: string }[]>((resolve, reject) => {
        abortSignal.addEventListener('abort', () => progress.destroy(abortSignal.reason as Error), { once: true });
        this.docker.modem.followProgress(progress, (error: Error | null, all: { error?: string }[]) => (error ? reject(error) : resolve(all)));
      });
      const failed = entries.find((entry) => entry.error !== undefined);
      if (failed) throw new Error(failed.error);
    }, { timeoutMs: TRANSFER_MS });
  }

  async networks(labels?: Labels, signal?: AbortSignal): Promise<NetworkInspectInfo[]> {
    const filters = labels && { filters: { label: pairs(labels) } };
    return (await this.call('list-networks', 'list networks', signal, (abortSignal) => this.docker.listNetworks({ ...filters, abortSignal })))!;
  }

  async inspectNetwork(id: string, signal?: AbortSignal): Promise<NetworkInspectInfo | undefined> {
    return this.call('inspect-network', `inspect network ${id}`, signal, () => this.docker.getNetwork(id).inspect(), { fine: [404] });
  }

  async createNetwork(request: NetworkCreateOptions, signal?: AbortSignal): Promise<void> {
    const body = { _query: {}, _body: request } as unknown as NetworkCreateOptions;
    await this.call('create-network', `create network ${request.Name} with ${request.IPAM?.Config?.[0]?.Subnet}`, signal, (abortSignal) => this.docker.createNetwork({ ...body, abortSignal }), { fine: [409] });
  }

  async removeNetwork(id: string, signal?: AbortSignal): Promise<void> {
    await this.call('remove-network', `remove network ${id}`, signal, (abortSignal) => this.docker.getNetwork(id).remove({ abortSignal }), { fine: [404] });
  }

  async volumes(labels: Labels, signal?: AbortSignal): Promise<VolumeInspectInfo[]> {
    const found = await this.call('list-volumes', 'list volumes', signal, (abortSignal) => this.docker.listVolumes({ filters: { label: pairs(labels) }, abortSignal }));
    return found!.Volumes ?? [];
  }

  async createVolume(request: VolumeCreateOptions, signal?: AbortSignal): Promise<void> {
    const body = { _query: {}, _body: request } as unknown as VolumeCreateOptions;
    await this.call('create-volume', `create volume ${request.Name}`, signal, (abortSignal) => this.docker.createVolume({ ...body, abortSignal }));
  }

  async removeVolume(name: string, signal?: AbortSignal): Promise<void> {
    await this.call('remove-volume', `remove volume ${name}`, signal, (abortSignal) => this.docker.getVolume(name).remove({ abortSignal }), { fine: [404] });
  }

  private async call<T>(verb: string, what: string, signal: AbortSignal | undefined, send: (signal: AbortSignal) => Promise<T>, { fine = [], timeoutMs = CALL_MS }: CallOptions = {}): Promise<T | undefined> {
    const limit = AbortSignal.timeout(timeoutMs);
    reached(`docker:${verb}`);
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    const answer = await Promise.race([send(either), aborted(either)]).catch((error: EngineFault) => {
      if (fine.includes(error.statusCode ?? 0)) return undefined;
      if (signal?.aborted) throw new ProviderError(`Called off while it was to ${what}.`, true, { cause: error });
      if (limit.aborted) throw new ProviderError(`The Docker Engine took longer than ${timeoutMs / 1000} s to ${what}.`, true, { cause: error });
      throw asProviderError(error, what, this.address);
    });
    reached(`docker:${verb}:done`);
    return answer;
  }

  private get socket(): string | undefined {
    const { socketPath } = this.docker.modem as { socketPath?: unknown };
    return typeof socketPath === 'string' ? socketPath : undefined;
  }

  private get address(): string {
    const { host, port } = this.docker.modem as { host?: string; port?: unknown };
    return this.socket ?? (host === undefined ? 'its usual socket' : `${host}:${String(port)}`);
  }
}

/** Not every call of the library takes a signal. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

interface EngineFault extends Error {
  readonly statusCode?: number;
  readonly json?: { message?: string };
  readonly code?: string;
}

function asProviderError(error: EngineFault, what: string, address: string): Error {
  if (error.name === 'TypeError') return error;
  const says = (error.json?.message ?? error.message).replace(/^\(HTTP code \d+\) [a-z ]+ - /, '');
  const isConnection = error.statusCode === undefined && /ECONN|ENOENT|EACCES|EPIPE|ETIMEDOUT|EHOSTUNREACH|socket hang up/.test(`${error.code} ${error.message}`);
  if (isConnection) return new ProviderError(`The Docker Engine at ${address} does not answer (${error.message}): start it, or set DOCKER_HOST.`, true, { cause: error });
  return new ProviderError(`The Docker Engine could not ${what}: ${says.trim().replace(/\.$/, '')}.`, isPassing(error.statusCode, says), { cause: error });
}

/** A refusal (4xx), and what no repetition heals, is final; what else goes wrong inside the engine may pass. */
function isPassing(statusCode: number | undefined, says: string): boolean {
  if (/manifest unknown|manifest for .* not found|pull access denied|repository .* not found|invalid reference format|no matching manifest|OCI runtime create failed|unauthorized/i.test(says)) return false;
  return statusCode === undefined || statusCode >= 500;
}

function pairs(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

/** The engine takes a name without a tag as all of its tags. */
function tagged(image: string): string {
  return /[:@]/.test(image.slice(image.lastIndexOf('/') + 1)) ? image : `${image}:latest`;
}

/** All that is said is read, so that nobody waits to be heard, and the first of it is kept. */
async function bufferOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) if ((size += chunk.length) <= OUTPUT_BYTES) chunks.push(chunk);
  return Buffer.concat(chunks);
}
