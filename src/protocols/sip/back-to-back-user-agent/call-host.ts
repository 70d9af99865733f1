/** What a call needs from the back-to-back user agent it belongs to. */
import type { Instant } from '../../../base/instant.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { UserAgent } from '../user-agent/user-agent.ts';
import type { Call } from './call.ts';
import type { CallEvent, LegName, LocalRequestHandle, Token } from './call-event.ts';
import type { Passage } from './passage.ts';

/** What a token stands for: a message that waits, or a request that the owner answers. */
export interface Held {
  readonly call: Call;
  readonly token: Token;
  readonly leg: CallLeg;
  readonly name: LegName;
  /** Absent for responses. */
  readonly incoming: IncomingRequest | undefined;
  readonly canContinue: boolean;
  passage: Passage | undefined;
}

export interface CallHost {
  readonly userAgent: UserAgent;
  emit(event: CallEvent): void;
  hold(held: Omit<Held, 'token'>): Held;
  release(token: Token): void;
  nameRequest(call: Call, leg: CallLeg, outgoing: OutgoingRequest): LocalRequestHandle;
  forgetRequest(request: LocalRequestHandle): void;
  addLeg(leg: CallLeg, call: Call): void;
  removeLeg(leg: CallLeg, now: Instant): void;
  remove(call: Call, now: Instant): void;
}
