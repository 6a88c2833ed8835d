import type { Decider } from '../decider.js';
import { authorize, evolveMembers, nobodyYet, type Asked, type MemberEventType, type MembersState } from './membership.js';
import type { Right } from './rights.js';

/**
 * Nothing follows, or a refusal: for the append of whatever else is decided, in whichever app, so that no member is let in who was removed meanwhile.
 * Whoever writes the members' stream is another decider.
 */
export const memberGuard: Decider<MembersState, Asked & { readonly right: Right }, MemberEventType> = {
  category: 'member',
  initial: nobodyYet,
  decide(asked, state) {
    authorize(asked, state, asked.right);
    return [];
  },
  evolve: evolveMembers,
};
