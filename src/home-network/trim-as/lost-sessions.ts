/**
 * Sessions of the TRIM AS whose mobile leg is lost (TRIM §3.3; TS 24.237 §10.2 has the like): the correspondent hears nothing of it for a grace
 * time, in which an INVITE with Replaces can bring the session back. At its end the mobile node is asked once whether it is there all the same:
 * it may have been out of reach only for a while, with nothing to tell since. Data only; trim-application-server.ts acts.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { LocalRequestHandle } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { AnchoredSession } from './anchored-session.ts';

interface Loss {
  until: Instant;
  /** To the mobile node, once the time is over. */
  question: LocalRequestHandle | undefined;
}

export class LostSessions {
  readonly #graceMs: DurationMs;
  readonly #losses = new Map<AnchoredSession, Loss>();

  constructor(graceMs: DurationMs) {
    this.#graceMs = graceMs;
  }

  /** Another failure within the grace time does not prolong it. */
  add(session: AnchoredSession, now: Instant): void {
    if (this.#losses.has(session)) return;
    this.#losses.set(session, { until: now + this.#graceMs, question: undefined });
  }

  remove(session: AnchoredSession): void {
    this.#losses.delete(session);
  }

  questionOf(session: AnchoredSession): LocalRequestHandle | undefined {
    return this.#losses.get(session)?.question;
  }

  /** The mobile node is being asked. */
  asked(session: AnchoredSession, question: LocalRequestHandle, now: Instant): void {
    this.#losses.set(session, { until: now + this.#graceMs, question });
  }

  /** Sessions whose time is over. */
  due(now: Instant): AnchoredSession[] {
    return [...this.#losses].flatMap(([session, { until }]) => (until <= now ? [session] : []));
  }

  pollTimeout(): Timeout | undefined {
    let at = Number.POSITIVE_INFINITY;
    for (const { until } of this.#losses.values()) at = Math.min(at, until);
    return this.#losses.size === 0 ? undefined : { at, reason: 'grace time' };
  }
}
