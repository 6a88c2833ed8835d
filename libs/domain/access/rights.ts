/** Roles of a project's members. Each may do all that the ones before it may. */
export const roles = ['viewer', 'developer', 'admin', 'owner'] as const;
export type Role = (typeof roles)[number];

/**
 * The one table of what can be done in a project: each right, the least role that has it, and what it is for. Everything that is asked of a
 * project's resource names one of these, and whoever is no member is told that there is no such resource.
 */
const projectRights = {
  'projects:read': ['viewer', 'see the project, its members, its quota and its use'],
  'sites:read': ['viewer', 'see sites, operations and events'],
  'secrets:list': ['viewer', 'see the names of secrets'],
  'backups:read': ['viewer', 'see backups, volumes and their use'],
  'sites:create': ['developer', 'put new sites live'],
  'sites:deploy': ['developer', 'publish content and releases'],
  'sites:run': ['developer', 'start, stop, restart, retry and repair sites, add and remove their domains, cancel operations'],
  'sites:exec': ['developer', "run commands in a site's container"],
  'secrets:write': ['developer', 'store, rotate and revoke secrets'],
  'backups:create': ['developer', 'make backups'],
  'projects:run': ['developer', 'start, stop, restart, restore, retry and repair the project'],
  'sites:delete': ['admin', 'destroy sites and their data'],
  'secrets:read': ['admin', 'be told the value of a secret'],
  'backups:restore': ['admin', 'put a backup in place of what is there, and delete backups'],
  'members:write': ['admin', 'add, change and remove members; those who are owner only as an owner'],
  'quota:write': ['admin', 'change the quota'],
  'projects:delete': ['owner', 'delete the project'],
} as const satisfies Record<string, readonly [Role, string]>;

/** What a caller does on their own account, outside any project. */
const ownRights = {
  'projects:create': 'make projects',
  'edge:read': "see what every host's edge is configured with; with the scope admin",
  'edge:write': "renew and revoke the plane's own certificate; with the scope admin",
  'tokens:read': "see one's tokens",
  'tokens:write': 'issue and revoke tokens',
} as const;

export type ProjectRight = keyof typeof projectRights;
export type Right = ProjectRight | keyof typeof ownRights;

export const rights = [...Object.keys(projectRights), ...Object.keys(ownRights)] as readonly Right[];

/** What a caller is to a project: its member, or the operator of the whole plane. */
export type Standing = Role | 'operator';

/** Whoever runs the plane sees what is there and says how much of it each project may have; the rest is the members' business. */
const operatorRights: readonly Right[] = ['projects:read', 'sites:read', 'backups:read', 'quota:write'];

/** Whether somebody of this standing in a project may do this there. */
export function may(standing: Standing, right: Right): boolean {
  if (standing === 'operator') return operatorRights.includes(right);
  const least = leastRole(right);
  return least === undefined || roles.indexOf(standing) >= roles.indexOf(least);
}

function leastRole(right: Right): Role | undefined {
  return (projectRights as Partial<Record<Right, readonly [Role, string]>>)[right]?.[0];
}

/** Why somebody of this standing may not do this. */
export function lacking(standing: Standing, right: Right): string {
  const whom = leastRole(right) === 'owner' ? 'an owner' : 'an owner or admin';
  return `You are ${standing} of the project, which does not come with the right ${right}. Ask ${whom} of the project.`;
}

/** Whether a right is about a project's resources. */
export const isProjectRight = (right: Right): right is ProjectRight => Object.hasOwn(projectRights, right);

/** Whether a list of rights that something is limited to holds this one. Any right on sites, projects or backups comes with seeing them. */
export function includesRight(limits: readonly Right[], right: Right): boolean {
  if (limits.includes(right)) return true;
  const [resource, verb] = right.split(':');
  return verb === 'read' && resource !== 'secrets' && limits.some((held) => held.startsWith(`${resource}:`));
}

/** The table as people read it, a line a right. */
export function describeRights(): readonly { right: Right; least: Role | undefined; what: string }[] {
  const ofProjects = Object.entries(projectRights).map(([right, [least, what]]) => ({ right: right as Right, least, what }));
  return [...ofProjects, ...Object.entries(ownRights).map(([right, what]) => ({ right: right as Right, least: undefined, what }))];
}

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}
