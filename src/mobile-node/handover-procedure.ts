/**
 * The order of a handover (TRIM §3.3, §4.4; MIP–SIP §3 and fig. 2). Nothing is given up before its successor works:
 *
 *   decided ─┬─▶ REGISTER over it ─200─▶ move every session ──────┬─▶ completed ─▶ old contact removed
 *            └─▶ binding update over it ─the home agent forwards──┘     ─▶ first data over it ─▶ old access released
 *
 * Without a registration of its own the node moves the sessions at once; without Mobile IP the lower branch is missing. Neither branch undoes
 * the other. If the home agent refuses or cannot be reached, what goes through the tunnel goes back to the old access while that lives;
 * sessions that have moved work where they are, and stay. If SIP fails, the tunnel stays on the new access, and the sessions on the old one
 * until a registration succeeds after all or that access is lost.
 *
 * Where SIP can reach the node over an access the home agent's first answer tells (attached-accesses.ts); over one that has just come SIP waits
 * for that.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { earlierTimeout, type Timeout } from '../base/machine.ts';
import type { BackToBackUserAgent } from '../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { homeAddressIndex } from '../translation/local-binding-table.ts';
import type { AccessSelection } from './access-selection/access-selection.ts';
import type { HandoverOutcome } from './access-selection/access-selector.ts';
import type { AttachedAccesses } from './attached-accesses.ts';
import { FormerAccesses } from './former-accesses.ts';
import { Handover, type HandoverKind } from './handover-manager/handover.ts';
import type { HandoverEvent } from './handover-manager/handover-event.ts';
import type { HandoverManager } from './handover-manager/handover-manager.ts';
import { SegmentOrder } from './handover-manager/segment-order.ts';
import type { RouteOptimisingClient } from './mobile-ip-client/route-optimising-client.ts';
import type { MobileNodeEffect, MobileNodeEvent } from './mobile-node-output.ts';
import type { ImsUserAgent, RegistrationEvent } from './sip-user-agent/ims-user-agent.ts';

export interface HandoverParts {
  readonly accesses: AttachedAccesses;
  readonly selection: AccessSelection;
  readonly agent: BackToBackUserAgent;
  readonly manager: HandoverManager;
  /** Absent when the node does not register itself. */
  readonly userAgent: ImsUserAgent | undefined;
  readonly mobileIp: RouteOptimisingClient | undefined;
  readonly releaseAfterMs: DurationMs;
  /** False: its link is up but leads nowhere. */
  readonly isAnswering: (index: number) => boolean;
  /** A handover is over, or a registration succeeded late: the policy may want another one now. */
  readonly decide: (now: Instant) => void;
  readonly tell: (event: MobileNodeEvent) => void;
  readonly effect: (effect: MobileNodeEffect) => void;
}

/** Sessions that did not move are tried again so often, after 1, 2, 4 … seconds. */
const maximumAttempts = 4;

/** How long a handover waits for the home agent: three requests, sent after 1, 2 and 4 s (RFC 5944 §3.6.3), and a round trip more. */
const bindingTimeoutMs: DurationMs = 8000;

/** How long SIP waits for the home agent to say where it can be reached: the first of those requests. Most often that is known. */
const reachTimeoutMs: DurationMs = 1000;

export class HandoverProcedure {
  /** Of TCP's segments. */
  readonly order: SegmentOrder;
  readonly #parts: HandoverParts;
  readonly #former: FormerAccesses;
  #current: number | undefined;
  /** Where new sessions are set up, by SIP's index; not where the current access is reached when SIP failed there. */
  #sipIndex: number | undefined;
  #handover: Handover | undefined;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#former = new FormerAccesses({
      ...parts,
      canCarry: (index) => this.#canCarry(index),
      sipIndex: () => this.#sipIndex,
    });
    this.order = new SegmentOrder({
      effect: parts.effect,
      ask: (access, now) => parts.userAgent?.checkFlow(access, now),
    });
  }

  /** The access that carries the node's traffic. */
  get current(): number | undefined {
    return this.#current;
  }

  get underWay(): Handover | undefined {
    return this.#handover;
  }

  /** To the access that is used already: for the sessions that are elsewhere. */
  start(to: number, now: Instant): void {
    const { accesses, manager, mobileIp, tell } = this.#parts;
    const from = to === this.#current ? this.#otherSipAccess() : this.#current;
    this.#former.keep(to);
    this.#takeBack(to);
    const handover = new Handover(from, to, this.#kindOf(from), now);
    this.#handover = handover;
    manager.setMoving(true);
    tell({
      type: 'handover-started',
      from: accesses.optionalName(from),
      to: accesses.nameOf(to),
      kind: handover.kind,
    });
    if (handover.kind === 'hard' && from !== undefined) this.#forsake(from, now);
    if (mobileIp !== undefined) {
      this.#current = to;
      handover.binding = 'pending';
      mobileIp.forwardOver(accesses.nameOf(to), now);
    }
    if (accesses.isReachUnknown(to)) handover.deadline = now + reachTimeoutMs;
    else this.#startSip(handover, now);
    this.checkBinding(now);
  }

  /** Where SIP can reach the node over this access is known now, or is another place than before. */
  reachLearned(index: number, now: Instant): void {
    const { accesses, manager } = this.#parts;
    const handover = this.#handover;
    const sipIndex = accesses.sipIndexOf(index);
    if (handover?.to === index && handover.sipIndex !== sipIndex) {
      if (handover.sipIndex !== undefined) manager.abandonMoves(handover.sipIndex, now);
      this.#startSip(handover, now);
    } else if (handover === undefined && this.#current === index && this.#sipIndex !== sipIndex)
      this.start(index, now);
  }

  accessLost(index: number, now: Instant): void {
    this.#former.keep(index);
    this.order.accessLost(index);
    this.#leave(index, 'the access was lost', now);
  }

  /** Probes stay unanswered: a handover to there would never end. */
  accessSilent(index: number, now: Instant): void {
    if (this.#handover?.to !== index) return;
    this.#forsake(index, now);
    this.#leave(index, 'no probe is answered', now);
  }

  accessAnswering(index: number): void {
    this.#takeBack(index);
  }

  /** Sessions that are carried by no living access, because they could not be moved from it while it lived, follow the node now. */
  gatherSessions(now: Instant): void {
    const { accesses, manager } = this.#parts;
    if (this.#handover !== undefined || this.#current === undefined) return;
    if (!this.#isAlive(this.#current) || accesses.forSip(this.#current) === undefined) return;
    const stranded = manager.sessions.filter(({ access }) => !this.#canCarry(access.index));
    if (stranded.length === 0) return;
    for (const { access } of stranded) this.#forsake(access.index, now);
    this.start(this.#current, now);
  }

  userAgentSaid(event: RegistrationEvent, now: Instant): void {
    const { accesses, tell } = this.#parts;
    const access = accesses.nameOf(event.access);
    if (event.type === 'deregistered') {
      tell({ type: 'deregistered', access });
      this.order.drained(event.access);
    } else if (event.type === 'registration-ended') {
      tell({ type: 'registration-ended', access, reason: event.reason });
    } else if (event.type === 'registration-failed') {
      tell({ type: 'registration-failed', access, statusCode: event.statusCode });
      if (!this.#failOver(event, now)) this.#registrationFailed(event.access, event.statusCode, now);
    } else this.#registered(event, now);
  }

  managerSaid(event: HandoverEvent, now: Instant): void {
    this.#parts.tell(event);
    const handover = this.#handover;
    if (handover?.sip !== 'transferring') return;
    if (event.type === 'session-moved') {
      this.order.sessionMoved(this.#parts.manager.flows.uplink(event.session));
      handover.failed.delete(event.session);
      handover.moved.push({ session: event.session, sipMs: event.sipMs, method: event.method });
    } else if (event.type === 'session-move-failed') {
      handover.failed.set(event.session, { statusCode: event.statusCode, reason: event.reason });
    } else if (event.type === 'session-ended') handover.failed.delete(event.session);
    this.#checkTransfer(handover, now);
  }

  /** Whether the home agent forwards over the new access by now. */
  checkBinding(now: Instant): void {
    const handover = this.#handover;
    const { accesses, mobileIp } = this.#parts;
    if (handover?.binding !== 'pending' || mobileIp?.confirmedAccess !== accesses.nameOf(handover.to)) return;
    handover.binding = 'confirmed';
    handover.bindingMs = now - handover.startedAt;
    this.#checkEnd(handover, now);
  }

  /** The home agent refused the access or cannot be reached over it. */
  bindingFailed(access: string, reason: string, now: Instant): void {
    const handover = this.#handover;
    const { accesses } = this.#parts;
    if (handover?.binding !== 'pending' || accesses.nameOf(handover.to) !== access) return;
    const { from } = handover;
    if (from !== undefined && this.#isAlive(from)) this.#goBack(handover, from, reason, now);
    else {
      handover.binding = 'failed';
      this.#tellSelector(handover, 'binding failed', now);
      this.#checkEnd(handover, now);
    }
  }

  dataArrived(watch: number, now: Instant): void {
    this.#former.dataArrived(watch, now);
  }

  handleTimeout(now: Instant): void {
    this.order.handleTimeout(now);
    const handover = this.#handover;
    if (handover?.deadline !== undefined && handover.deadline <= now) {
      if (handover.sip === 'waiting') this.#startSip(handover, now);
      else this.#tryAgain(handover, now);
    }
    if (handover?.binding === 'pending' && handover.startedAt + bindingTimeoutMs <= now)
      this.bindingFailed(this.#parts.accesses.nameOf(handover.to), 'no answer of the home agent', now);
    this.#former.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    const handover = this.#handover;
    const deadlines = [
      handover?.deadline,
      handover?.binding === 'pending' ? handover.startedAt + bindingTimeoutMs : undefined,
    ];
    return deadlines
      .map((at) => (at === undefined ? undefined : { at, reason: 'handover' }))
      .reduce(earlierTimeout, earlierTimeout(this.#former.pollTimeout(), this.order.pollTimeout()));
  }

  /** Takes contacts back that nothing needs any more. True when there were any. */
  removeContacts(now: Instant): boolean {
    return this.#former.removeContacts(now);
  }

  deregister(index: number, now: Instant): void {
    this.#former.deregister(index, now);
  }

  #kindOf(from: number | undefined): HandoverKind {
    if (from !== undefined && (this.#isAlive(from) || from === homeAddressIndex)) return 'soft';
    return from !== undefined || this.#parts.manager.sessions.length > 0 ? 'hard' : 'first';
  }

  #otherSipAccess(): number | undefined {
    return this.#sipIndex === this.#current ? undefined : this.#sipIndex;
  }

  #isAlive(index: number): boolean {
    return this.#parts.accesses.get(index) !== undefined && this.#parts.isAnswering(index);
  }

  /** Whether SIP can use that access of its own. The tunnel to the home address takes whichever access is alive. */
  #canCarry(sipIndex: number): boolean {
    if (sipIndex === homeAddressIndex) return true;
    return this.#isAlive(sipIndex) && this.#parts.accesses.sipIndexOf(sipIndex) === sipIndex;
  }

  /** To SIP an access that leads nowhere is as one that was lost: what waits there for an answer is not waited for. */
  #forsake(index: number, now: Instant): void {
    const { accesses, manager, userAgent } = this.#parts;
    const access = accesses.get(index);
    if (access === undefined) return;
    access.isForsaken = true;
    manager.removeAccess(index, now);
    userAgent?.accessLost(index, now);
  }

  #takeBack(index: number): void {
    const { accesses, manager, userAgent } = this.#parts;
    const access = accesses.get(index);
    const forSip = accesses.forSip(index);
    if (access?.isForsaken !== true) return;
    access.isForsaken = false;
    if (forSip === undefined) return;
    manager.setAccess(forSip);
    userAgent?.accessRestored(forSip);
  }

  /** Sessions that had moved there already go back with the next handover. */
  #leave(index: number, reason: string, now: Instant): void {
    if (this.#current === index) this.#current = undefined;
    if (this.#sipIndex === index) this.#sipIndex = undefined;
    const handover = this.#handover;
    if (handover?.to !== index) return;
    const { accesses, manager, tell } = this.#parts;
    this.#end(handover, 'access lost', now);
    if (handover.sipIndex !== undefined) manager.abandonMoves(handover.sipIndex, now);
    tell({ type: 'handover-failed', to: accesses.nameOf(index), reason });
  }

  #startSip(handover: Handover, now: Instant): void {
    const { accesses, userAgent } = this.#parts;
    const access = accesses.forSip(handover.to);
    handover.deadline = undefined;
    if (access === undefined) {
      handover.sip = 'done';
      return;
    }
    handover.sip = 'registering';
    handover.sipIndex = access.index;
    this.#former.keepContact(access.index);
    if (userAgent === undefined || userAgent.isRegistered(access.index))
      this.#transfer(handover, access.index, now);
    else userAgent.register(access, now);
  }

  #registered(event: Extract<RegistrationEvent, { type: 'registered' }>, now: Instant): void {
    const { accesses, manager, tell, decide } = this.#parts;
    accesses.setServiceRoute(event.access, event.serviceRoute);
    const access = accesses.sipAccess(event.access);
    if (access === undefined || access.index !== event.access) return;
    if (accesses.get(event.access)?.isForsaken !== true) manager.setAccess(access);
    tell({ type: 'registered', access: access.name, registerMs: event.registerMs });
    const handover = this.#handover;
    if (handover?.sip === 'registering' && handover.sipIndex === event.access) {
      handover.registerMs = event.registerMs;
      this.#transfer(handover, event.access, now);
    } else if (handover === undefined && this.#isLate(event.access)) this.start(this.#current!, now);
    else {
      // A registration that had failed before makes its access a candidate again. If the node has gone on nevertheless, nobody needs it.
      decide(now);
      if (this.#handover === undefined && !this.#isUsedBySip(event.access))
        this.#former.leaveContact(event.access);
      manager.renewSessions(event.access, now);
    }
  }

  #isUsedBySip(sipIndex: number): boolean {
    return (
      sipIndex === this.#sipIndex ||
      this.#parts.manager.sessions.some(({ access }) => access.index === sipIndex)
    );
  }

  /** RFC 3263 §4.3: where a P-CSCF is silent or out of service the next one of its name is asked. */
  #failOver({ access: sipIndex, statusCode }: { access: number; statusCode: number }, now: Instant): boolean {
    const { accesses, manager, userAgent } = this.#parts;
    const next = statusCode === 408 || statusCode === 503 ? accesses.failOver(sipIndex) : undefined;
    if (next === undefined) return false;
    manager.setAccess(next);
    userAgent?.accessLost(sipIndex, now);
    userAgent?.register(next, now);
    return true;
  }

  #registrationFailed(sipIndex: number, statusCode: number, now: Instant): void {
    const { accesses, manager, mobileIp, tell } = this.#parts;
    const handover = this.#handover;
    if (handover?.sip !== 'registering' || handover.sipIndex !== sipIndex) return;
    if (mobileIp === undefined) {
      this.#end(handover, 'registration failed', now);
      manager.abandonMoves(sipIndex, now);
      tell({ type: 'handover-failed', to: accesses.nameOf(handover.to), reason: `REGISTER: ${statusCode}` });
      return;
    }
    handover.sip = 'failed';
    for (const { id, access } of manager.sessions)
      if (access.index !== sipIndex) handover.failed.set(id, { statusCode, reason: 'not registered' });
    this.#checkEnd(handover, now);
  }

  /** The registration over the access that packets take already came after the handover to it had been given up. */
  #isLate(sipIndex: number): boolean {
    if (this.#current === undefined || this.#sipIndex === sipIndex) return false;
    return this.#parts.accesses.sipIndexOf(this.#current) === sipIndex;
  }

  #transfer(handover: Handover, sipIndex: number, now: Instant): void {
    handover.sip = 'transferring';
    this.#current = handover.to;
    this.#sipIndex = sipIndex;
    this.#parts.manager.useForNewSessions(sipIndex);
    this.#keepOrder(handover, now);
    this.#parts.manager.moveSessions(sipIndex, now);
    this.#checkTransfer(handover, now);
  }

  /** Only where the P-CSCF of the old access can be asked, at the latest to remove the contact, whether anything is under way there. */
  #keepOrder({ from, to, kind }: Handover, now: Instant): void {
    const { accesses, manager, userAgent } = this.#parts;
    const access = accesses.forSip(to);
    if (kind !== 'soft' || from === undefined || access === undefined) return;
    // The tunnel keeps no order: it is over the new access already.
    const isDirect = accesses.sipIndexOf(from) === from;
    if (isDirect && userAgent?.isRegistered(from)) this.order.begin(from, manager.flows.toMove(access), now);
  }

  #checkTransfer(handover: Handover, now: Instant): void {
    if (this.#parts.manager.sessions.some(({ isMoving }) => isMoving)) return;
    this.order.allMoved(now);
    if (handover.isWorthAnotherTry && handover.attempts < maximumAttempts) {
      handover.deadline = now + 1000 * 2 ** (handover.attempts - 1);
      return;
    }
    handover.sip = 'done';
    this.#checkEnd(handover, now);
  }

  #tryAgain(handover: Handover, now: Instant): void {
    handover.deadline = undefined;
    handover.attempts++;
    if (handover.sipIndex !== undefined) this.#parts.manager.moveSessions(handover.sipIndex, now);
    this.#checkTransfer(handover, now);
  }

  #checkEnd(handover: Handover, now: Instant): void {
    if (handover.isOver) this.#complete(handover, now);
  }

  #complete(handover: Handover, now: Instant): void {
    const to = this.#parts.accesses.get(handover.to);
    if (to === undefined) return;
    this.#end(handover, 'completed', now);
    this.#parts.tell({
      type: 'handover-completed',
      from: this.#parts.accesses.optionalName(handover.from),
      to: to.options.name,
      kind: handover.kind,
      attachMs: to.attachMs,
      signallingMs: to.signallingMs ?? 0,
      registerMs: handover.registerMs,
      sipMs: handover.sipMs,
      ...(handover.bindingMs !== undefined && { bindingMs: handover.bindingMs }),
      totalMs: now - handover.startedAt,
      sessions: handover.moved,
      failed: [...handover.failed.keys()],
    });
    this.#former.release(handover, now);
    this.#parts.decide(now);
  }

  /** What is in the tunnel goes back; who was told by SIP already that the node has moved stays where that works. */
  #goBack(handover: Handover, from: number, reason: string, now: Instant): void {
    const { accesses, manager, mobileIp, tell, decide } = this.#parts;
    this.#end(handover, 'binding failed', now);
    this.#current = from;
    mobileIp?.forwardOver(accesses.nameOf(from), now);
    const access = accesses.forSip(from);
    if (access !== undefined) {
      this.#sipIndex = access.index;
      manager.useForNewSessions(access.index);
    }
    tell({ type: 'handover-failed', to: accesses.nameOf(handover.to), reason });
    decide(now);
  }

  #end(handover: Handover, result: HandoverOutcome['result'], now: Instant): void {
    const { manager, selection } = this.#parts;
    this.#handover = undefined;
    manager.setMoving(false);
    if (result !== 'completed') this.order.end();
    if (result !== 'completed') selection.pin(undefined);
    // The policy knows of a binding that failed since it did; the handover ends without it where there is no way back.
    if (handover.binding !== 'failed') this.#tellSelector(handover, result, now);
  }

  #tellSelector(handover: Handover, result: HandoverOutcome['result'], now: Instant): void {
    const { accesses, selection } = this.#parts;
    selection.selector.handoverEnded?.({ to: accesses.nameOf(handover.to), result }, now);
  }
}
