import { projectNetwork } from '#domain/naming/naming.js';
import { ProviderError } from '../provider-error.js';
import { created, destinations, project, projects } from './answers.js';
import { UnknownOutcome, type CoolifyApi } from './coolify-api.js';
import { readRoomMark } from './mark.js';
import { createDestination, createProject, deleteDestination, deleteProject, ENVIRONMENT, listDestinations, listProjects, readProject, type CoolifyRequest, type Place } from './requests.js';
import type { CoolifySettings } from './settings.js';

const LOOKS = 3;

/** A project's room at a Coolify: a project there, found by its mark, and a network of its own on the server. */
export class Rooms {
  constructor(
    private readonly api: CoolifyApi,
    private readonly settings: CoolifySettings,
  ) {}

  /** Makes what is missing of the room, and says where in it an application is made. */
  async ensure(projectId: string, serverUuid: string, signal?: AbortSignal): Promise<Place> {
    const projectUuid = await this.foundOrMade(() => this.projectOf(projectId, signal), createProject(this.settings, projectId), signal);
    const { environments } = await this.api.ask(readProject(projectUuid), project, { signal });
    const environment = environments.find(({ name }) => name === ENVIRONMENT) ?? environments[0];
    if (!environment) throw new ProviderError(`The Coolify project ${projectUuid} has no environment: add one named ${ENVIRONMENT}.`, false);
    const destinationUuid = this.settings.destinationUuid ?? (await this.foundOrMade(() => this.destinationOf(projectId, serverUuid, signal), createDestination(serverUuid, projectId), signal));
    return { projectUuid, environmentUuid: environment.uuid, environmentName: environment.name, serverUuid, destinationUuid };
  }

  /** Takes the room away if nothing is in it; answers whether it is gone. */
  async removeIfEmpty(projectId: string, serverUuid: string, signal?: AbortSignal): Promise<boolean> {
    const projectUuid = await this.projectOf(projectId, signal);
    // 400: it has resources.
    if (projectUuid && !(await this.deleted(deleteProject(projectUuid), 400, signal))) return false;
    if (this.settings.destinationUuid) return true;
    const destinationUuid = await this.destinationOf(projectId, serverUuid, signal);
    // 409: resources are attached.
    return !destinationUuid || this.deleted(deleteDestination(destinationUuid), 409, signal);
  }

  private async projectOf(projectId: string, signal?: AbortSignal): Promise<string | undefined> {
    const listed = await this.api.ask(listProjects(), projects, { signal });
    return listed.find(({ description }) => readRoomMark(description, this.settings.plane)?.project === projectId)?.uuid;
  }

  private async destinationOf(projectId: string, serverUuid: string, signal?: AbortSignal): Promise<string | undefined> {
    const listed = await this.api.find(listDestinations(serverUuid), destinations, { signal, fine: [404] });
    if (!listed) throw new ProviderError('This Coolify cannot make networks by its API: upgrade it, or set COOLIFY_DESTINATION_UUID to the one destination that all projects shall share.', false);
    return listed.find(({ network }) => network === projectNetwork(projectId))?.uuid;
  }

  /** There are no idempotency keys: after an attempt whose outcome is unknown it may be there. */
  private async foundOrMade(find: () => Promise<string | undefined>, request: CoolifyRequest, signal?: AbortSignal): Promise<string> {
    for (let look = 1; ; look++) {
      const found = await find();
      if (found) return found;
      try {
        // 409: somebody else was faster.
        const made = await this.api.find(request, created, { signal, fine: [409] });
        if (made) return made.uuid;
      } catch (error) {
        if (!(error instanceof UnknownOutcome) || look >= LOOKS) throw error;
      }
      if (look >= LOOKS) throw new ProviderError(`The Coolify was asked to ${request.what}, says that it is there, and does not list it.`, true);
    }
  }

  private async deleted(request: CoolifyRequest, occupied: number, signal?: AbortSignal): Promise<boolean> {
    const refusal = await this.api.send(request, { signal, fine: [404] }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!refusal) return true;
    if (((refusal as ProviderError).cause as { status?: number } | undefined)?.status === occupied) return false;
    throw refusal as Error;
  }
}
