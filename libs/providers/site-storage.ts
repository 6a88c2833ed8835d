import type { Readable } from 'node:stream';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';

/** A volume of a project, and what is in it. */
export interface Volume {
  readonly name: string;
  readonly projectId: string;
  /** Whose data it is: a site's id, or the data id that a site was given. */
  readonly dataId: string;
  /** data: what the site keeps itself. release: content that was published. */
  readonly role: 'data' | 'release';
  /** Where the workload sees it; empty where there is no container. */
  readonly path: string;
  readonly bytes: number;
}

/** Which volumes are looked at; what is left out makes no difference. */
export interface VolumeFilter {
  readonly projectId?: string;
  readonly role?: Volume['role'];
}

/** Takes one folder of a site's data: where the workload sees it, and what is in it as a tar with owners and modes. */
export type TakeTree = (path: string, tar: Readable) => Promise<void>;

/**
 * What a runtime does with its sites' data. What a site publishes (releases) is no part of it: that is in the content store already.
 *
 * Every verb may be called twice, or again after a crash half-way. Only what bears this plane's labels is seen or touched.
 */
export interface SiteStorage {
  /** Every volume of this plane that the filter lets through, and how many bytes are in it. Where there is none, nothing is measured. */
  volumes(filter: VolumeFilter, signal?: AbortSignal): Promise<readonly Volume[]>;

  /**
   * Hands out the data, one folder after the other, as it is at one moment: the site stands still from the first to the last, and goes on
   * whatever happens. `also` is done within that moment, for what belongs to the data and is elsewhere. Answers how long it was, in milliseconds.
   */
  exportData(spec: WorkloadSpec, take: TakeTree, signal?: AbortSignal, also?: () => Promise<void>): Promise<number>;

  /** Makes a volume under the spec's data id, in place of one that is there, and fills it. No workload may use it yet. */
  importTree(spec: WorkloadSpec, path: string, tar: Readable, signal?: AbortSignal): Promise<void>;

  /** Takes the volumes of a data id away; one that a workload uses stays, and is an error. */
  removeData(dataId: string, signal?: AbortSignal): Promise<void>;

  /** Lets everything go on that stands still: what a killed process left so. */
  thawAll(signal?: AbortSignal): Promise<void>;
}
