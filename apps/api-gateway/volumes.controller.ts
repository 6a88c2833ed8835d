import { Controller } from '@nestjs/common';
import type { Volume } from '#api/backup.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { ByCall, type Call } from './call.js';
import { Hosts } from './hosts.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

/** An engine counts all of its volumes when it is asked for one. */
const COUNTED_WITHIN_MS = 60_000;

type Found = Omit<Volume, 'siteId' | 'leftBy'> & { readonly dataId: string };

@Controller()
export class VolumesController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly hosts: Hosts,
  ) {}

  @Serves('listSiteVolumes')
  async ofSite(@Input() { params }: InputOf<Routes['listSiteVolumes']>, @ByCall() call: Call): Promise<object> {
    const { id, projectId, hostId } = await this.sites.find(call, params.id);
    return listed((await this.volumes(hostId, projectId, call)).filter(({ siteId, leftBy }) => (siteId ?? leftBy) === id));
  }

  @Serves('listProjectVolumes')
  async ofProject(@Input() { params }: InputOf<Routes['listProjectVolumes']>, @ByCall() call: Call): Promise<object> {
    const { id, hostId } = await this.projects.find(call, params.id);
    return listed(await this.volumes(hostId, id, call));
  }

  private async volumes(hostId: string, projectId: string, call: Call): Promise<Volume[]> {
    const { volumes } = await this.hosts.ask<'ListVolumes', { volumes: readonly Found[] }>(hostId, 'ListVolumes', { projectId }, call.cause, COUNTED_WITHIN_MS);
    const siteOf = await this.sites.byData(projectId);
    return volumes.map(({ name, dataId, role, path, bytes }) => ({ name, ...siteOf.get(dataId), role, path, bytes }));
  }
}

function listed(items: readonly Volume[]): object {
  return { items, bytes: bytesOf(items), writtenBytes: bytesOf(items.filter(({ role }) => role !== 'release')) };
}

function bytesOf(items: readonly Volume[]): number {
  return items.reduce((sum, { bytes }) => sum + bytes, 0);
}
