import { Refusal } from '#domain/refusal.js';
import { deriveId } from '#contracts/ids.js';
import type { Call } from './call.js';
import type { Lifecycle } from './lifecycle.js';
import type { ProjectQueries } from './projects.queries.js';
import type { ReadModel } from './read-model.js';

const NAME = 'default';

/** Finds the project that a new site goes to; the owner's project "default" is made when it is missing. */
export class ProjectChoice {
  constructor(
    private readonly projects: ProjectQueries,
    private readonly lifecycle: Lifecycle,
    private readonly readModel: ReadModel,
    private readonly hostId: string,
  ) {}

  async idFor(call: Call, named: string | undefined): Promise<string> {
    const { owner } = call.caller;
    if (named !== undefined) return (await this.projects.find(owner, named, 'projectId')).id;
    const found = await this.projects.lookUp(owner, NAME);
    return found?.id ?? this.make(call);
  }

  private async make(call: Call): Promise<string> {
    const projectId = call.id('default project');
    const data = { projectId, operationId: call.id('default project operation'), ownerId: call.caller.owner, name: NAME, hostId: this.hostId };
    try {
      const { id, meta } = call.cause;
      await this.lifecycle.ask('CreateProject', data, { id: deriveId(id, NAME), meta });
      return projectId;
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'conflict') throw error;
      // Somebody else made it at this very moment: it is in the log, and soon here.
      await this.readModel.catchUp();
      const made = await this.projects.lookUp(call.caller.owner, NAME);
      if (made) return made.id;
      throw error;
    }
  }
}
