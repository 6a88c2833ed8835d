import type { MessageOf } from '#contracts/registry.js';
import { Refusal } from '../refusal.js';
import { lacking, may, type Right, type Role } from './rights.js';

export type MemberEventType = 'MemberAdded' | 'MemberRemoved' | 'MemberRoleChanged';

/** What was said of each member. Of the founder nothing need have been said: they are owner by founding the project. */
export type MembersState = ReadonlyMap<string, Role | 'none'>;

/** Who asks, and who founded the project. */
export interface Asked {
  readonly projectId: string;
  readonly founderId: string;
  /** Member on whose behalf it is asked; empty: nobody, who may nothing. */
  readonly by: string;
}

export const nobodyYet: MembersState = new Map();

export function evolveMembers(state: MembersState, { type, data }: MessageOf<MemberEventType>): MembersState {
  return new Map(state).set(data.memberId, type === 'MemberRemoved' ? 'none' : (data.role as Role));
}

/** A member's role; undefined for who is none. */
export function roleOf(state: MembersState, founderId: string, memberId: string): Role | undefined {
  if (memberId === '') return undefined;
  const said = state.get(memberId) ?? (memberId === founderId ? 'owner' : 'none');
  return said === 'none' ? undefined : said;
}

/** The role of who asks; refuses who is no member, or whose role lacks the right. */
export function authorize({ founderId, by }: Asked, state: MembersState, right: Right): Role {
  const role = roleOf(state, founderId, by);
  if (!role) throw new Refusal('not-found', 'There is no such thing in any project that you are a member of.');
  if (!may(role, right)) throw new Refusal('forbidden', lacking(role, right));
  return role;
}
