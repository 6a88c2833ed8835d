import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';
import { authorize, evolveMembers, nobodyYet, roleOf, type Asked, type MemberEventType, type MembersState } from './membership.js';
import { isRole, roles, type Role } from './rights.js';

export type MembersCommand =
  | (Asked & { type: 'AddMember' | 'ChangeMember'; memberId: string; role: string })
  | (Asked & { type: 'RemoveMember'; memberId: string });

/**
 * Who belongs to a project, as what. A stream of its own beside the project's, because everything that is asked of the project or its sites is
 * appended against its version: it is short and seldom changes, where the project's grows with each site.
 */
export const membersDecider: Decider<MembersState, MembersCommand, MemberEventType> = {
  category: 'member',
  initial: nobodyYet,
  decide(command, state) {
    const { projectId, memberId } = command;
    const before = roleOf(state, command.founderId, memberId);
    const asker = authorize(command, state, command.type === 'RemoveMember' && command.by === memberId ? 'projects:read' : 'members:write');
    if (command.type === 'RemoveMember') {
      if (before === undefined) return [];
      mustRank(asker, before);
      refuseLastOwner(command, state, before);
      return [{ type: 'MemberRemoved', data: { projectId, memberId } }];
    }
    const { role } = command;
    if (!isRole(role)) throw new Refusal('invalid', `"${role}" is not a role. Choose one of: ${roles.join(', ')}.`, 'role');
    if (command.type === 'ChangeMember' && before === undefined) throw new Refusal('not-found', `"${memberId}" is not a member of the project.`);
    if (before === role) return [];
    mustRank(asker, role);
    if (before === undefined) return [{ type: 'MemberAdded', data: { projectId, memberId, role } }];
    if (command.type === 'AddMember') throw new Refusal('conflict', `"${memberId}" is a member already, as ${before}. Change the role instead.`, 'member');
    mustRank(asker, before);
    refuseLastOwner(command, state, before);
    return [{ type: 'MemberRoleChanged', data: { projectId, memberId, role, before } }];
  },
  evolve: evolveMembers,
};

/** Nobody makes, changes or removes somebody above themselves. */
function mustRank(asker: Role, other: Role): void {
  if (roles.indexOf(other) > roles.indexOf(asker)) throw new Refusal('forbidden', `Only an owner makes, changes or removes an owner; you are ${asker}.`);
}

function refuseLastOwner({ founderId, memberId }: { founderId: string; memberId: string }, state: MembersState, before: Role): void {
  if (before !== 'owner') return;
  const others = [founderId, ...state.keys()].filter((one) => one !== memberId && roleOf(state, founderId, one) === 'owner');
  if (others.length === 0) throw new Refusal('conflict', `"${memberId}" is the last owner of the project, and stays: make somebody else owner first, or delete the project.`);
}
