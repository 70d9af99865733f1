/**
 * The moves of sessions to another access (TRIM §3.3): which request tells the network, what becomes of its answers, and when a session stays
 * where it was.
 *
 *   carried by A ──move(B)──▶ accepted on B, INVITE over B ──200──▶ uplink by B ──dismiss(A)──▶ carried by B
 *                                            └──failure──▶ B dismissed, carried by A as before
 *
 * A call that still rings stays where it is while it can; when the access is gone it goes too (early-takeover.ts, move-requests.ts).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { familyOf } from '../../base/ip-address.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallEvent } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { rseqOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipResponse } from '../../protocols/sip/message/sip-message.ts';
import type { LocalAddressTranslator } from '../address-translator/local-address-translator.ts';
import type { HandoverEvent, SessionMoveMethod } from './handover-event.ts';
import type { MobileSession, Move } from './mobile-session.ts';
import { MoveRequests } from './move-requests.ts';
import type { NetworkAccess } from './network-access.ts';
import { descriptionOf } from './session-media.ts';

type Event<Type extends CallEvent['type']> = Extract<CallEvent, { readonly type: Type }>;

export interface SessionMoveParts {
  readonly agent: BackToBackUserAgent;
  readonly translator: LocalAddressTranslator;
  readonly publicIdentity: string;
  readonly internalAddress: string;
  readonly withReservation: boolean;
  readonly joinsVersions?: boolean | undefined;
  readonly graceMs: DurationMs;
  /** Every access that has an address now, by index. */
  readonly accesses: ReadonlyMap<number, NetworkAccess>;
  /** A call to the node rings on over this access; unless `unanswered` names an UPDATE, the network does not know. */
  readonly rangOn: (session: MobileSession, access: NetworkAccess, now: Instant) => void;
  readonly tell: (event: HandoverEvent) => void;
}

export class SessionMoves {
  readonly #parts: SessionMoveParts;
  readonly #requests: MoveRequests;

  constructor(parts: SessionMoveParts) {
    this.#parts = parts;
    this.#requests = new MoveRequests(parts.agent, parts.publicIdentity, parts.withReservation);
  }

  /**
   * False when the media cannot be told from those of another session. A re-INVITE that moves the session has waited for the change
   * (RFC 3261 §14.1), and offers what was before it.
   */
  agreed(session: MobileSession, now: Instant): boolean {
    const { move } = session;
    if (move !== undefined && !move.isReplacement) {
      move.isOutdated = true;
      this.#parts.agent.cancelLocally(move.request, now);
    }
    return this.setMedia(session);
  }

  setMedia(session: MobileSession): boolean {
    const { agreement, move } = session;
    if (agreement === undefined) return true;
    const accesses = move ? ([session.access, move.access] as const) : ([session.access] as const);
    return this.#parts.translator.setMedia(session.id, session.bindings(), accesses).length === 0;
  }

  /** A node that moved while it rang takes the session along now. */
  knownAsConfirmed(session: MobileSession, now: Instant): void {
    session.isKnownAsConfirmed = true;
    if (session.destination !== undefined && session.move === undefined)
      this.#startMove(session, session.destination, now);
  }

  move(session: MobileSession, access: NetworkAccess, now: Instant): void {
    // One that moves goes on from where it is on its way to (`#goOn`).
    const isElsewhere = session.access.address !== access.address;
    if (session.isMoving || isElsewhere) session.destination = access;
    if (session.isMoving || !(isElsewhere || session.isInDoubt)) return;
    if (session.isKnownAsConfirmed && session.agreement !== undefined) this.#startMove(session, access, now);
    else if (!this.#parts.accesses.has(session.access.index)) this.#moveUnanswered(session, access, now);
  }

  /** Also to the access that carries the session: then it is a return, after a move of which nobody knows whether the AS saw it. */
  #startMove(session: MobileSession, access: NetworkAccess, now: Instant): void {
    const { internalAddress, joinsVersions = true } = this.#parts;
    if (!joinsVersions && familyOf(access.address) !== familyOf(internalAddress))
      return void this.#moveFailed(session, access, 488, 'No translation between IPv4 and IPv6');
    const { offer, text } = session.moveOffer(access, this.#parts.withReservation);
    session.startedAt = now;
    // Accepted before the address is told: the translator may send there as soon as it knows.
    this.#parts.translator.accept(session.id, access);
    const isReplacement = this.#requests.needsReplacement(session, access);
    const request = isReplacement
      ? this.#requests.replaceLeg(session, access, text, now)
      : this.#requests.reinvite(session, access, text, !this.#parts.accesses.has(session.access.index), now);
    if (request === undefined) this.#moveFailed(session, access, 481, 'No dialog');
    else
      session.move = {
        access,
        request,
        isReplacement,
        offer,
        isOutdated: false,
        answer: undefined,
        reservation: undefined,
      };
  }

  /** The node's old place is gone, and nobody has answered yet, or the network may not know of it. */
  #moveUnanswered(session: MobileSession, access: NetworkAccess, now: Instant): void {
    if (session.isConfirmed) {
      this.#requests.answerFrom(session, access, now);
      this.#startMove(session, access, now);
      return;
    }
    const offer = session.setUpOffer(access);
    const isAgreed = session.agreement !== undefined;
    if (session.networkLeg === 'callee') {
      if (offer === undefined || !this.#requests.takeOver(session, access, offer, now)) return;
      session.unanswered = 'taking over';
      session.repeatsAnswer = isAgreed;
      session.proxyCscf = access.proxyCscf;
    } else {
      session.unanswered = this.#requests.ringOn(session, access, isAgreed ? offer : undefined, now);
      this.#parts.rangOn(session, access, now);
    }
    session.lostUntil = undefined;
    session.startedAt = now;
    session.access = access;
    this.#parts.translator.accept(session.id, access);
    this.#parts.translator.move(session.id, access);
  }

  /** By INVITE with Replaces the rest follows with its 200. */
  replaced(session: MobileSession, now: Instant): void {
    if (session.unanswered === 'taking over')
      this.#movedUnanswered(session, 'INVITE with Target-Dialog', now);
  }

  #movedUnanswered(session: MobileSession, method: SessionMoveMethod, now: Instant): void {
    session.unanswered = undefined;
    this.#tellMoved(session, method, now);
    this.#goOn(session, session.access, now);
  }

  answered(session: MobileSession, event: Event<'response-arrived'>, now: Instant): void {
    if (session.unanswered === event.request) this.#updated(session, event.response, now);
    const { move } = session;
    if (move === undefined) return;
    const { statusCode, reasonPhrase } = event.response;
    if (event.request === move.reservation && statusCode >= 300)
      this.#parts.agent.cancelLocally(move.request, now);
    if (event.request !== move.request) return;
    if (statusCode < 200) this.#reserve(session, move, event.response, now);
    else if (statusCode < 300) this.#moved(session, move, event.response, now);
    else {
      session.move = undefined;
      // The dialog is gone on the other side (the core ended it, or the AS replaced it): by Replaces, then.
      const isDialogGone = statusCode === 481 && !move.isReplacement;
      if (isDialogGone || move.isOutdated) this.#startMove(session, move.access, now);
      else {
        this.#moveFailed(session, move.access, statusCode, reasonPhrase);
        const { destination = session.access } = session;
        if (destination.address === session.access.address)
          this.#afterFailure(session, move, statusCode, now);
        else this.#goOn(session, move.access, now);
      }
    }
  }

  /**
   * The answer came ahead of the 200 because the network waits: for reservations, or for an access of the other version of IP to be ready for
   * what comes from the place that it names. The new access carries the session's data, so they are there.
   */
  #reserve(session: MobileSession, move: Move, response: SipResponse, now: Instant): void {
    const answer = descriptionOf(response.body);
    if (answer === undefined || move.reservation !== undefined || rseqOf(response) === undefined) return;
    move.answer = answer;
    this.#parts.translator.accept(session.id, move.access, session.bindings(answer));
    move.reservation = this.#requests.reserved(session, move, session.reservedOffer(move, answer), now);
  }

  #moved(session: MobileSession, move: Move, response: SipResponse, now: Instant): void {
    const { access, isReplacement } = move;
    const answer = descriptionOf(response.body) ?? move.answer;
    const former = session.access;
    session.move = undefined;
    session.lostUntil = undefined;
    session.isInDoubt = false;
    session.access = access;
    if (answer !== undefined) session.hearMoveAnswer(answer);
    this.#parts.translator.move(session.id, access, session.bindings());
    if (!this.#parts.accesses.has(former.index)) this.#parts.translator.dismiss(session.id, former);
    if (isReplacement) session.proxyCscf = access.proxyCscf;
    this.setMedia(session);
    this.#tellMoved(session, isReplacement ? 'INVITE with Replaces' : 're-INVITE', now);
    if (session.isOver) this.sayGoodbye(session, now);
    else this.#goOn(session, access, now);
  }

  #tellMoved({ id, access, startedAt }: MobileSession, method: SessionMoveMethod, now: Instant): void {
    this.#parts.tell({
      type: 'session-moved',
      session: id,
      access: access.name,
      sipMs: now - startedAt,
      method,
    });
  }

  /** An UPDATE that failed: the session moves once it is confirmed. */
  #updated(session: MobileSession, response: SipResponse, now: Instant): void {
    const answer = descriptionOf(response.body);
    session.unanswered = undefined;
    if (response.statusCode >= 300) return;
    session.destination = undefined;
    if (answer !== undefined) session.hearMoveAnswer(answer);
    this.setMedia(session);
    this.#movedUnanswered(session, 'UPDATE', now);
  }

  #afterFailure(session: MobileSession, move: Move, statusCode: number, now: Instant): void {
    const isReturn = move.access.address === session.access.address;
    // The AS does not know the session (RFC 3891 §3).
    const isEnded = statusCode === 481 || statusCode === 603;
    const canReturn = !isReturn && this.#parts.accesses.has(session.access.index);
    if (isEnded && (session.lostUntil !== undefined || !canReturn))
      this.#parts.agent.endCall(session.call, now);
    // No answer, or none that could arrive: the AS may have seen the move or not.
    else if (canReturn && (isEnded || statusCode === 408 || statusCode === 503)) this.return(session, now);
  }

  /**
   * The application has left the session. The network is told when there is a way to it, and again after the next move if it does not answer:
   * the BYE may go down with the access.
   */
  sayGoodbye(session: MobileSession, now: Instant): void {
    const { agent, accesses, graceMs } = this.#parts;
    session.isOver = true;
    if (!accesses.has(session.access.index)) return;
    session.lostUntil = now + graceMs;
    const { call, networkLeg } = session;
    if (agent.sendLocally(call, networkLeg, { method: 'BYE' }, now) === undefined) agent.endCall(call, now);
  }

  /** Tells the AS again over the access that still carries the session where its media are. */
  return(session: MobileSession, now: Instant): void {
    const isPossible = session.move === undefined && session.agreement !== undefined;
    if (isPossible && this.#parts.accesses.has(session.access.index))
      this.#startMove(session, session.access, now);
  }

  #moveFailed(session: MobileSession, access: NetworkAccess, statusCode: number, reason: string): void {
    if (access.address !== session.access.address) this.#parts.translator.dismiss(session.id, access);
    if (session.destination?.address === access.address) session.destination = undefined;
    this.#parts.tell({
      type: 'session-move-failed',
      session: session.id,
      access: access.name,
      statusCode,
      reason,
    });
  }

  /** The node moved on while this session was still on its way. */
  #goOn(session: MobileSession, arrived: NetworkAccess, now: Instant): void {
    const { destination } = session;
    session.destination = undefined;
    if (destination !== undefined && destination.address !== arrived.address)
      this.move(session, destination, now);
  }
}
