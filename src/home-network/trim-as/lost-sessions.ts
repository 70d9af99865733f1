/**
 * Sessions of the TRIM AS whose mobile leg is lost (TRIM §3.3; TS 24.237 §10.2 has the like): the correspondent hears nothing of it for a grace
 * time, in which an INVITE with Replaces can bring the session back. At its end the mobile node is asked once whether it is there all the same:
 * it may have been out of reach only for a while, with nothing to tell since. Data only; trim-application-server.ts acts.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { LocalRequestHandle } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { AnchoredSession } from './anchored-session.ts';

export class LostSessions {
  readonly #graceMs: DurationMs;
  /** Those lost, with the question to the mobile node once their time is over. */
  readonly #questions = new Map<AnchoredSession, LocalRequestHandle | undefined>();
  readonly #deadlines = new DeadlineQueue<AnchoredSession>();

  constructor(graceMs: DurationMs) {
    this.#graceMs = graceMs;
  }

  /** Another failure within the grace time does not prolong it. */
  add(session: AnchoredSession, now: Instant): void {
    if (!this.#questions.has(session)) this.asked(session, undefined, now);
  }

  remove(session: AnchoredSession): void {
    this.#questions.delete(session);
    this.#deadlines.delete(session);
  }

  questionOf(session: AnchoredSession): LocalRequestHandle | undefined {
    return this.#questions.get(session);
  }

  /** The mobile node is being asked. */
  asked(session: AnchoredSession, question: LocalRequestHandle | undefined, now: Instant): void {
    this.#questions.set(session, question);
    this.#deadlines.set(session, now + this.#graceMs, 'grace time');
  }

  /** The next session whose time is over; it has to be asked or removed. */
  takeDue(now: Instant): AnchoredSession | undefined {
    return this.#deadlines.takeDue(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }
}
