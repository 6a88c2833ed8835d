import type { AppSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { appVersion, projectNetwork, projectRoom } from '#domain/naming/naming.js';
import { environmentItems } from './environment.js';
import { markOf, type AppMark } from './mark.js';
import type { ContainerLimits, CoolifySettings } from './settings.js';

/** What is asked of Coolify. Changes pass the probe `coolify:<verb>`. */
export interface CoolifyRequest {
  readonly verb: string;
  /** Ends the sentence "Coolify could not …". */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  /** Sent twice it would make two: when nobody knows what became of it, its sender has to look first. */
  readonly isCreation?: true;
}

/** The environment that Coolify makes with each project. */
export const ENVIRONMENT = 'production';
const DEPLOYMENTS_SEEN = 10;
export const LOG_LINES = 20;

export const read = (verb: string, what: string, path: string, query?: CoolifyRequest['query']): CoolifyRequest => ({ verb, what, method: 'GET', path, ...(query && { query }) });

export const listServers = (): CoolifyRequest => read('list-servers', 'list its servers', '/servers');
export const listProjects = (): CoolifyRequest => read('list-projects', 'list its projects', '/projects');
export const readProject = (uuid: string): CoolifyRequest => read('read-project', `show the project ${uuid}`, `/projects/${uuid}`);
export const listDestinations = (serverUuid: string): CoolifyRequest => read('list-destinations', `list the destinations of the server ${serverUuid}`, `/servers/${serverUuid}/destinations`);
export const listApplications = (): CoolifyRequest => read('list-applications', 'list its applications', '/applications');
export const readApplication = (uuid: string): CoolifyRequest => read('read-application', `show the application ${uuid}`, `/applications/${uuid}`);
export const readDeployment = (uuid: string): CoolifyRequest => read('read-deployment', `show the deployment ${uuid}`, `/deployments/${uuid}`);
export const listDeployments = (uuid: string): CoolifyRequest => read('list-deployments', `list the deployments of the application ${uuid}`, `/deployments/applications/${uuid}`, { skip: 0, take: DEPLOYMENTS_SEEN });
export const readLog = (uuid: string): CoolifyRequest => read('read-log', `show the log of the application ${uuid}`, `/applications/${uuid}/logs`, { lines: LOG_LINES });

export function createProject({ plane }: CoolifySettings, projectId: string): CoolifyRequest {
  const name = projectRoom(projectId);
  return { verb: 'create-project', what: `create the project ${name}`, method: 'POST', path: '/projects', body: { name, description: markOf({ plane, project: projectId }) }, isCreation: true };
}

/** It refuses while anything is in it. */
export const deleteProject = (uuid: string): CoolifyRequest => ({ verb: 'remove-project', what: `delete the project ${uuid}`, method: 'DELETE', path: `/projects/${uuid}` });

/** A network of the project's own; a second one with this name is refused. */
export function createDestination(serverUuid: string, projectId: string): CoolifyRequest {
  const network = projectNetwork(projectId);
  return { verb: 'create-destination', what: `create the network ${network}`, method: 'POST', path: `/servers/${serverUuid}/destinations`, body: { name: network, network }, isCreation: true };
}

/** It refuses while anything is on it. */
export const deleteDestination = (uuid: string): CoolifyRequest => ({ verb: 'remove-destination', what: `delete the destination ${uuid}`, method: 'DELETE', path: `/destinations/${uuid}` });

/** Where at Coolify an application or a service is made. */
export interface Place {
  readonly projectUuid: string;
  readonly environmentUuid: string;
  readonly environmentName: string;
  readonly serverUuid: string;
  readonly destinationUuid: string;
}

export const placeFields = (place: Place): Record<string, string> => ({
  project_uuid: place.projectUuid,
  environment_name: place.environmentName,
  environment_uuid: place.environmentUuid,
  server_uuid: place.serverUuid,
  destination_uuid: place.destinationUuid,
});

export type AppWorkload = WorkloadSpec & { readonly app: AppSpec };

/**
 * An application that is not started yet. What Coolify would do by itself is said no to: a domain of its own making, a deployment at once.
 * Its health check runs inside the container, where there may be neither curl nor wget; it informs, and our own look from here decides.
 */
export function createApplication(settings: CoolifySettings, spec: AppWorkload, mark: AppMark, place: Place, hostPort: number): CoolifyRequest {
  const { image, port, healthPath } = spec.app;
  const { memoryBytes, cpus } = limitsOf(settings, spec);
  const name = appVersion(spec, mark.spec);
  const body = {
    name,
    description: markOf(mark),
    ...placeFields(place),
    ...imageFields(image),
    ports_exposes: String(port),
    ports_mappings: `${hostPort}:${port}`,
    ...healthFields(healthPath),
    limits_memory: `${memoryBytes}b`,
    limits_memory_swap: `${memoryBytes}b`,
    limits_cpus: String(cpus),
    // Coolify's parser of these ends a value at its first hyphen, so no-new-privileges cannot be said, nor a limit of processes.
    custom_docker_run_options: '--cap-drop=ALL --cap-add=NET_BIND_SERVICE',
    autogenerate_domain: false,
    instant_deploy: false,
  };
  return { verb: 'create-application', what: `create the application ${name}`, method: 'POST', path: '/applications/dockerimage', body, isCreation: true };
}

/** Undefined where there are none: Coolify refuses an empty list. */
export function setEnvironment(uuid: string, env: Readonly<Record<string, string>>): CoolifyRequest | undefined {
  const data = environmentItems(env);
  if (data.length === 0) return undefined;
  return { verb: 'set-environment', what: `set the environment of the application ${uuid}`, method: 'PATCH', path: `/applications/${uuid}/envs/bulk`, body: { data } };
}

export function markApplication(uuid: string, mark: AppMark): CoolifyRequest {
  return { verb: 'mark-application', what: `mark the application ${uuid}`, method: 'PATCH', path: `/applications/${uuid}`, body: { description: markOf(mark) } };
}

/** Starts, starts anew and restarts: unlike /start and /restart it says so when the queue is full. */
export const deployApplication = (uuid: string): CoolifyRequest => ({ verb: 'deploy-application', what: `deploy the application ${uuid}`, method: 'POST', path: '/deploy', query: { uuid } });

export const stopApplication = (uuid: string): CoolifyRequest => ({ verb: 'stop-application', what: `stop the application ${uuid}`, method: 'POST', path: `/applications/${uuid}/stop`, query: { docker_cleanup: false } });

/** Every flag is said, for all default to true: pruning the server is nobody's wish here, and volumes go on request only. */
export function deleteApplication(uuid: string, volumes: boolean): CoolifyRequest {
  const query = { delete_configurations: true, delete_volumes: volumes, docker_cleanup: false, delete_connected_networks: false };
  return { verb: 'remove-application', what: `delete the application ${uuid}`, method: 'DELETE', path: `/applications/${uuid}`, query };
}

export function limitsOf({ appLimits }: CoolifySettings, { limits }: WorkloadSpec): ContainerLimits {
  return { memoryBytes: limits?.memoryBytes || appLimits.memoryBytes, cpus: limits?.cpuMillis ? limits.cpuMillis / 1000 : appLimits.cpus, pids: limits?.pids || appLimits.pids };
}

/** A tag has a field of its own; a digest belongs to the name, and Coolify takes no tag beside it. */
function imageFields(image: string): Record<string, string> {
  const [, name, tag, digest] = /^(.*?)(?::([^:/@]+))?(@.+)?$/.exec(image) ?? [];
  if (digest) return { docker_registry_image_name: `${name}${digest}` };
  return { docker_registry_image_name: name!, ...(tag && { docker_registry_image_tag: tag }) };
}

/** Coolify takes fewer signs in a path than we do: such a path is only looked at from here. */
function healthFields(path: string): Record<string, string | number | boolean> {
  if (!/^\/[a-zA-Z0-9/\-_.~%,;]*$/.test(path)) return { health_check_enabled: false };
  return { health_check_enabled: true, health_check_path: path, health_check_method: 'GET', health_check_scheme: 'http', health_check_interval: 5, health_check_timeout: 5, health_check_retries: 10, health_check_start_period: 5 };
}
