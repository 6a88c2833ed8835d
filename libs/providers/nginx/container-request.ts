import { createHash } from 'node:crypto';
import type { ContainerCreateOptions } from 'dockerode';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { NGINX_ENVIRONMENT } from './nginx-process.js';

/** Marks every container of a plane's edge; its value is the plane's id. */
export const EDGE_LABEL = 'hostplane.edge';
/** Marks the one that serves; its value changes with whatever it is made from. */
export const SPEC_LABEL = 'hostplane.edge-spec';

/** What a master needs that starts as root: to take low ports, to read its owner's files and to become its workers' user. */
const ROOT_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'];

/** Who the container runs as: the user of the provisioner. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * How the engine is asked for the edge's container: the host's network, the edge's folder and (to read only) the sites mounted as folders where they
 * are on the host, nothing else that can be written, and no right that is not needed.
 */
export function containerRequest(settings: EdgeSettings, image: string, configFile: string, owner = currentOwner()): ContainerCreateOptions {
  const plain = plainRequest(settings, image, ['-c', configFile, '-g', 'daemon off;'], owner);
  return {
    ...plain,
    name: `hostplane-edge-${settings.planeId}`,
    Labels: { ...plain.Labels, [SPEC_LABEL]: specOf(settings, image, owner) },
    HostConfig: { ...plain.HostConfig, RestartPolicy: { Name: 'unless-stopped' } },
  };
}

/** A container that runs nginx, or another program of its image, once with these arguments, and ends. */
export function checkRequest(settings: EdgeSettings, image: string, args: readonly string[], program = 'nginx', owner = currentOwner()): ContainerCreateOptions {
  const request = plainRequest(settings, image, args, owner);
  return program === 'nginx' ? request : { ...request, Entrypoint: [program], Cmd: [...args] };
}

/** Short hash of everything the serving container is made from. */
export function specOf(settings: EdgeSettings, image: string, owner = currentOwner()): string {
  return createHash('sha256').update(JSON.stringify(plainRequest(settings, image, [], owner))).digest('hex').slice(0, 16);
}

function plainRequest(settings: EdgeSettings, image: string, args: readonly string[], owner: Owner): ContainerCreateOptions {
  return {
    Image: image,
    Entrypoint: ['nginx'],
    Cmd: ['-p', settings.folder, '-e', `${settings.folder}/error.log`, ...args],
    Env: Object.entries(NGINX_ENVIRONMENT).map(([name, value]) => `${name}=${value}`),
    Labels: { [EDGE_LABEL]: settings.planeId },
    User: `${owner.uid}:${owner.gid}`,
    HostConfig: {
      NetworkMode: 'host',
      Mounts: [
        { Type: 'bind', Source: settings.folder, Target: settings.folder },
        { Type: 'bind', Source: settings.sitesFolder, Target: settings.sitesFolder, ReadOnly: true },
      ],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: owner.uid === 0 ? ROOT_CAPABILITIES : [],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 512,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
  };
}

function currentOwner(): Owner {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
