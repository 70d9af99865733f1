/**
 * What the mobile node leaves behind with a handover (TRIM §3.3): contacts, which go when nothing needs them, and accesses, which are released
 * once data came in over the new one (access-releases.ts).
 */
import type { Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';
import { AccessReleases } from './handover-manager/access-releases.ts';
import type { Handover } from './handover-manager/handover.ts';
import type { HandoverParts } from './handover-procedure.ts';

type Parts = Pick<
  HandoverParts,
  'accesses' | 'agent' | 'manager' | 'userAgent' | 'releaseAfterMs' | 'tell' | 'effect'
> & {
  /** Whether SIP can use that access of its own. */
  readonly canCarry: (sipIndex: number) => boolean;
  /** Where new sessions are set up. */
  readonly sipIndex: () => number | undefined;
};

export class FormerAccesses {
  readonly #parts: Parts;
  readonly #releases = new AccessReleases();
  /** Contacts that go once nothing that left from them waits for an answer: the P-CSCF refuses what comes from no contact. */
  readonly #leaving = new Set<number>();
  #watches = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The access is wanted again, or gone. */
  keep(index: number): void {
    this.#releases.cancel(index);
  }

  keepContact(sipIndex: number): void {
    this.#leaving.delete(sipIndex);
  }

  leaveContact(sipIndex: number): void {
    this.#leaving.add(sipIndex);
  }

  dataArrived(watch: number, now: Instant): void {
    this.#releases.dataArrived(watch, now);
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#releases.takeDue(now); due !== undefined; due = this.#releases.takeDue(now))
      this.#released(due.access, due.reason);
  }

  pollTimeout(): Timeout | undefined {
    return this.#releases.pollTimeout();
  }

  /** Takes contacts back that nothing needs any more. True when there were any. */
  removeContacts(now: Instant): boolean {
    const idle = [...this.#leaving].filter((index) => {
      const address = this.#parts.canCarry(index)
        ? this.#parts.accesses.sipAccess(index)?.address
        : undefined;
      return address === undefined || !this.#parts.agent.hasUnanswered(address);
    });
    for (const index of idle) {
      this.#leaving.delete(index);
      this.deregister(index, now);
    }
    return idle.length > 0;
  }

  /** Over the old access while it lives, else over whichever carries the sessions now. */
  deregister(index: number, now: Instant): void {
    const { accesses, userAgent, sipIndex } = this.#parts;
    const over = [index, sipIndex()].find((one) => one !== undefined && this.#parts.canCarry(one));
    const access = over === undefined ? undefined : accesses.sipAccess(over);
    if (access === undefined) userAgent?.forget(index, now);
    else userAgent?.deregister(index, access, now);
  }

  /** The old contact goes when nothing needs it, the old access later (access-releases.ts). Where SIP failed nothing of it is given up. */
  release({ from, to, moved }: Handover, now: Instant): void {
    const { accesses, manager, userAgent, effect, sipIndex } = this.#parts;
    const access = accesses.forSip(to);
    if (access === undefined || sipIndex() !== access.index) return;
    const stillCarrying = new Set(manager.sessions.map(({ access: { index } }) => index));
    for (const index of userAgent?.registeredAccesses ?? []) {
      const isLeft = index !== access.index && !stillCarrying.has(index);
      if (isLeft && userAgent?.isRegistered(index)) this.#leaving.add(index);
    }
    if (from === undefined) return;
    const left = accesses.sipIndexOf(from);
    if (left !== access.index && stillCarrying.has(left)) return;
    const flows = manager.flows.downlink(access);
    if (moved.length === 0 || flows.length === 0) {
      this.#released(from, 'no sessions');
      return;
    }
    const watch = ++this.#watches;
    this.#releases.begin(from, watch, now + this.#parts.releaseAfterMs);
    effect({ type: 'watch-flows', id: watch, flows });
  }

  #released(index: number, reason: 'data arrived' | 'no data' | 'no sessions'): void {
    const { accesses, manager, tell } = this.#parts;
    const access = accesses.forSip(index);
    if (access !== undefined) manager.dismissAccess(access);
    tell({ type: 'access-released', access: accesses.nameOf(index), reason });
  }
}
