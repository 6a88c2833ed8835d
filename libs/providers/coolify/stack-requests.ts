import { wordpressService } from '#domain/naming/naming.js';
import type { WordPressWorkload } from '../wordpress-config.js';
import { stackEnvironmentItems } from './environment.js';
import { markOf, type StackMark } from './mark.js';
import { LOG_LINES, placeFields, read, type CoolifyRequest, type Place } from './requests.js';
import { PHP } from './wordpress-compose.js';

export const listStacks = (): CoolifyRequest => read('list-services', 'list its services', '/services');
export const readStack = (uuid: string): CoolifyRequest => read('read-service', `show the service ${uuid}`, `/services/${uuid}`);
export const listResources = (serverUuid: string): CoolifyRequest => read('list-resources', `list what is on the server ${serverUuid}`, `/servers/${serverUuid}/resources`);
export const readStackLog = (uuid: string): CoolifyRequest => read('read-service-log', `show the log of the service ${uuid}`, `/services/${uuid}/logs`, { sub_service_name: PHP, lines: LOG_LINES });

/** A service that is not started yet. */
export function createStack(spec: WordPressWorkload, mark: StackMark, place: Place, compose: string): CoolifyRequest {
  const name = wordpressService(spec);
  const body = { name, description: markOf(mark), ...placeFields(place), docker_compose_raw: encoded(compose), instant_deploy: false };
  return { verb: 'create-service', what: `create the service ${name}`, method: 'POST', path: '/services', body, isCreation: true };
}

/** Mark and compose file in one, so that the mark never speaks of another file. Nothing is started. */
export function changeStack(uuid: string, name: string, mark: StackMark, compose: string): CoolifyRequest {
  const body = { name, description: markOf(mark), docker_compose_raw: encoded(compose), instant_deploy: false };
  return { verb: 'change-service', what: `change the service ${uuid}`, method: 'PATCH', path: `/services/${uuid}`, body };
}

export function markStack(uuid: string, mark: StackMark): CoolifyRequest {
  return { verb: 'mark-service', what: `mark the service ${uuid}`, method: 'PATCH', path: `/services/${uuid}`, body: { description: markOf(mark) } };
}

export function setStackEnvironment(uuid: string, env: Readonly<Record<string, string>>): CoolifyRequest {
  return { verb: 'set-service-environment', what: `set the environment of the service ${uuid}`, method: 'PATCH', path: `/services/${uuid}/envs/bulk`, body: { data: stackEnvironmentItems(env) } };
}

/** It refuses (400) what runs already. */
export const startStack = (uuid: string): CoolifyRequest => ({ verb: 'start-service', what: `start the service ${uuid}`, method: 'POST', path: `/services/${uuid}/start` });

/** Takes both containers down and brings them up as the compose file is now. */
export const restartStack = (uuid: string): CoolifyRequest => ({ verb: 'restart-service', what: `restart the service ${uuid}`, method: 'POST', path: `/services/${uuid}/restart`, query: { latest: false } });

/** It refuses (400) what stands still already. */
export const stopStack = (uuid: string): CoolifyRequest => ({ verb: 'stop-service', what: `stop the service ${uuid}`, method: 'POST', path: `/services/${uuid}/stop`, query: { docker_cleanup: false } });

/** With its data, and the network that it has for itself. Every flag is said, for all default to true. */
export function deleteStack(uuid: string): CoolifyRequest {
  const query = { delete_configurations: true, delete_volumes: true, docker_cleanup: false, delete_connected_networks: true };
  return { verb: 'remove-service', what: `delete the service ${uuid}`, method: 'DELETE', path: `/services/${uuid}`, query };
}

const encoded = (text: string): string => Buffer.from(text).toString('base64');
