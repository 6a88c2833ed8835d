import { ProblemError } from '#api/problem.js';
import type { Project } from '#api/project.js';
import { Refusal } from '#domain/refusal.js';
import { deriveId } from '#contracts/ids.js';
import type { Call } from './call.js';
import type { Lifecycle } from './deciding-apps.js';
import type { ProjectQueries } from './projects.queries.js';
import type { ReadModel } from './read-model.js';

const NAME = 'default';
const UNSAID = 'The token is limited to several projects: say which one the site shall go to.';

/** A project, and who founded it. */
type Chosen = Pick<Project, 'id' | 'owner'>;

/** Finds the project that a new site goes to: the one that is named, the only one that a token is for, or the caller's own "default", made when it is missing. */
export class ProjectChoice {
  constructor(
    private readonly projects: ProjectQueries,
    private readonly lifecycle: Lifecycle,
    private readonly readModel: ReadModel,
    private readonly hostId: string,
  ) {}

  async for(call: Call, named: string | undefined): Promise<Chosen> {
    const [only, ...others] = call.caller.projects ?? [];
    if (named !== undefined || (only && others.length === 0)) return this.projects.find(call, named ?? only!, 'projectId');
    const found = await this.projects.ownNamed(call, NAME);
    if (found) return found;
    if (only) throw new ProblemError('invalid', UNSAID, { errors: [{ field: 'projectId', message: UNSAID }] });
    return this.make(call);
  }

  private async make(call: Call): Promise<Chosen> {
    const { owner } = call.caller;
    const projectId = call.id('default project');
    const data = { projectId, operationId: call.id('default project operation'), ownerId: owner, name: NAME, hostId: this.hostId };
    try {
      const { id, meta } = call.cause;
      await this.lifecycle.ask('CreateProject', data, { id: deriveId(id, NAME), meta });
      return { id: projectId, owner };
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'conflict') throw error;
      // Somebody else made it at this very moment: it is in the log, and soon here.
      await this.readModel.catchUp();
      const made = await this.projects.ownNamed(call, NAME);
      if (made) return made;
      throw error;
    }
  }
}
