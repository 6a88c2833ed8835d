/** What a description at Coolify says of a site's application. */
export interface AppMark {
  readonly plane: string;
  readonly project: string;
  readonly site: string;
  /** Hash of the spec that it was made from. */
  readonly spec: string;
  /** new: not yet seen healthy. live: seen healthy. kept: removed, but for its data. */
  readonly state: 'new' | 'live' | 'kept';
  /** Time (ms since 1970) of the restart that was obeyed last, or 0. */
  readonly restarted: number;
  /** Port of the version before this one, or 0: the edge may still lead there, so it is nobody else's. */
  readonly spare: number;
}

/** What a description at Coolify says of a WordPress' service. */
export interface StackMark {
  readonly plane: string;
  readonly project: string;
  readonly site: string;
  /** Whose data it holds: another site's, when that one left it behind. */
  readonly data: string;
  /** Hash of the spec that its compose file was made from. */
  readonly spec: string;
  /** Tells PHP's image from another one: which it is follows from the host's configuration too. */
  readonly image: string;
  /** new: never seen healthy, so its data is worth nothing. changing: it was, but not as it is now. live: seen healthy as it is. kept: removed, but for its data. */
  readonly state: 'new' | 'changing' | 'live' | 'kept';
  /** Time (ms since 1970) of the restart that was obeyed last, or 0. */
  readonly restarted: number;
  readonly port: number;
}

/** What a project's description at Coolify says. */
export interface RoomMark {
  readonly plane: string;
  readonly project: string;
}

/** People read it in Coolify's pages, whose forms take letters, digits and few signs: neither brackets nor colons. */
const BEGINNING = 'Kept by Hostplane, do not edit.';

export function markOf(mark: AppMark | RoomMark | StackMark): string {
  return [BEGINNING, ...Object.entries(mark).map(([key, value]) => `${key}=${String(value)}`)].join(' ');
}

/** Undefined for what is not an application of this plane. */
export function readAppMark(description: string | null | undefined, plane: string): AppMark | undefined {
  const { project, site, spec, state, restarted, spare } = fields(description, plane) ?? {};
  if (!project || !site || !spec || (state !== 'new' && state !== 'live' && state !== 'kept')) return undefined;
  return { plane, project, site, spec, state, restarted: Number(restarted) || 0, spare: Number(spare) || 0 };
}

/** Undefined for what is not a service of this plane. */
export function readStackMark(description: string | null | undefined, plane: string): StackMark | undefined {
  const { project, site, data, spec, image, state, restarted, port } = fields(description, plane) ?? {};
  if (!project || !site || !data || !spec || !image || !port || (state !== 'new' && state !== 'changing' && state !== 'live' && state !== 'kept')) return undefined;
  return { plane, project, site, data, spec, image, state, restarted: Number(restarted) || 0, port: Number(port) };
}

/** Undefined for what is not a project of this plane. */
export function readRoomMark(description: string | null | undefined, plane: string): RoomMark | undefined {
  const { project, site } = fields(description, plane) ?? {};
  return project && !site ? { plane, project } : undefined;
}

function fields(description: string | null | undefined, plane: string): Record<string, string> | undefined {
  if (!description?.startsWith(`${BEGINNING} `)) return undefined;
  const found = Object.fromEntries([...description.matchAll(/(?<= )([a-z]+)=([^\s]+)/g)].map(([, key, value]) => [key!, value!]));
  return found['plane'] === plane ? found : undefined;
}
