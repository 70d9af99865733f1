/**
 * The handovers of anchored sessions (TRIM §3.3, fig. 6): the mobile node offers its media elsewhere, the translator follows, and the 200 tells
 * the mobile node that it has.
 *
 *   without reservation          INVITE ──NCR UPDATE──▶ in force ──▶ 200
 *   with reservation             INVITE ──▶ 183 ─PRACK─ UPDATE ──NCR UPDATE──▶ in force ──▶ 200 (UPDATE), 200 (INVITE)
 *   to the other version of IP   INVITE ──NCR UPDATE──▶ y:b of that ──▶ 183 ─PRACK─ UPDATE ──▶ as with reservation
 *
 * In the last case the mobile node has to know the new y:b before packets come from it, since it takes them from nowhere else.
 * Whatever fails on the way leaves session and bindings as they were.
 */
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { isPureHandover } from '../../protocols/sdp/pure-handover.ts';
import type { SessionDescription } from '../../protocols/sdp/session-description.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { SignallingPath, Token } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { listIncludes } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { addressFormatWarning } from '../../protocols/sip/message/warning.ts';
import type { AnchoredSession, PendingHandover } from './anchored-session.ts';
import { areResourcesReady } from './handover-offer.ts';
import type { LostSessions } from './lost-sessions.ts';
import { type Components, isAtAddresses, moved, reservedFor } from './session-bindings.ts';
import type { Failure, TranslatorControl } from './translator-control.ts';
import type { HandoverMethod, TrimEvent } from './trim-event.ts';

export interface SessionHandoverParts {
  readonly agent: BackToBackUserAgent;
  readonly control: TranslatorControl;
  readonly lost: LostSessions;
  /** Of the application server. */
  readonly address: TransportAddress;
  readonly path: SignallingPath;
  readonly tell: (event: TrimEvent) => void;
}

/** The mobile node's offer from another place, in the request that waits for its answer. */
export interface HandoverRequest {
  readonly token: Token;
  readonly method: HandoverMethod;
  readonly request: SipRequest;
  readonly offer: SessionDescription;
}

export class SessionHandovers {
  readonly #parts: SessionHandoverParts;

  constructor(parts: SessionHandoverParts) {
    this.#parts = parts;
  }

  /** The mobile node's call still rings, and it has moved: what it has offered or agreed on holds for the new place. */
  takeOver(session: AnchoredSession, taking: HandoverRequest, now: Instant): void {
    const { agent, control, tell, path } = this.#parts;
    const { token, offer } = taking;
    const isAgreed = session.agreed('mobileNode') !== undefined;
    const previous = session.agreed('mobileNode') ?? session.openOffer('correspondent');
    if (previous === undefined || !isPureHandover(previous, offer) || !isAtAddresses(offer)) {
      agent.refuse(token, 488, 'Not what the call was offered with', now);
      session.finishJob(now);
      return;
    }
    control.bind(session, moved(session.components, offer), now, (failure, at) => {
      if (failure === undefined && isAgreed) session.hearMove(offer);
      else if (failure === undefined) session.hearOffer('mobileNode', offer);
      const body = isAgreed ? session.handoverAnswer(offer) : undefined;
      if (failure !== undefined) this.#refuse(failure, token, at);
      else if (agent.acceptTakeover(token, path, body, at)) {
        const method = 'INVITE with Target-Dialog';
        tell({ type: 'handover-committed', session: session.call, method, durationMs: at - now });
      } else {
        // It was answered meanwhile.
        this.begin(session, taking, at);
        return;
      }
      session.finishJob(at);
    });
  }

  begin(session: AnchoredSession, { token, method, request, offer }: HandoverRequest, now: Instant): void {
    const { agent } = this.#parts;
    if (session.agreed('mobileNode') === undefined || session.handover !== undefined) {
      agent.answerLocally(token, { statusCode: 500, headers: [['Retry-After', '2']] }, now);
      session.finishJob(now);
      return;
    }
    if (!isAtAddresses(offer)) {
      agent.refuse(token, 488, 'Media must be at IP addresses', now);
      session.finishJob(now);
      return;
    }
    const handover: PendingHandover = { token, method, startedAt: now };
    session.handover = handover;
    const reservation = reservedFor(session.components, offer);
    const isToldFirst = reservation.install.length > 0 && canBeToldFirst(request);
    if (areResourcesReady(offer) && !isToldFirst) {
      this.#commit(session, offer, [token], now);
      return;
    }
    this.#parts.control.reserve(session, reservation, now, (reserved, at) => {
      if (session.handover === handover) this.#reserved(session, handover, offer, reserved, at);
      session.finishJob(at);
    });
  }

  /** An UPDATE (or PRACK) inside the handover's INVITE: the resources are there, or not yet. */
  goOn(session: AnchoredSession, token: Token, within: Token, offer: SessionDescription, now: Instant): void {
    const { agent } = this.#parts;
    const { handover } = session;
    if (handover?.token !== within) agent.refuse(token, 481, undefined, now);
    else if (areResourcesReady(offer)) {
      this.#commit(session, offer, [token, within], now);
      return;
    } else
      agent.answerLocally(
        token,
        { statusCode: 200, body: session.handoverAnswer(offer, handover.reserved) },
        now,
      );
    session.finishJob(now);
  }

  cancelled(session: AnchoredSession, token: Token): void {
    if (session.handover?.token !== token) return;
    session.handover = undefined;
    this.#parts.tell({ type: 'handover-failed', session: session.call, reason: 'cancelled' });
  }

  /** RFC 3261 §21.4.26 with warning 301 of §20.43, which says that there is no use in trying again. */
  refuseVersion(token: Token, now: Instant): void {
    const { agent, address } = this.#parts;
    const warning = addressFormatWarning(address, 'No translation between IPv4 and IPv6');
    if (!agent.answerLocally(token, { statusCode: 488, headers: [['Warning', warning]] }, now))
      agent.refuse(token, 488, undefined, now);
  }

  /** The offer is answered ahead of the 200, with where the correspondent will be. */
  #reserved(
    session: AnchoredSession,
    handover: PendingHandover,
    offer: SessionDescription,
    reserved: Components | Failure,
    now: Instant,
  ): void {
    if ('reason' in reserved) {
      this.#fail(session, reserved, [handover.token], now);
      session.handover = undefined;
      return;
    }
    session.handover = { ...handover, reserved };
    const answer = {
      statusCode: 183,
      reliable: true,
      body: session.handoverAnswer(offer, reserved),
      ...(handover.method === 'INVITE with Replaces' && { path: this.#parts.path }),
    };
    this.#parts.agent.answerLocally(handover.token, answer, now);
  }

  /** First the translator, then the 200: when the mobile node hears of it, the new place is in force. */
  #commit(session: AnchoredSession, offer: SessionDescription, tokens: readonly Token[], now: Instant): void {
    const { control } = this.#parts;
    const { handover, components: before } = session;
    const change = moved(before, offer, handover?.reserved);
    control.bind(session, change, now, (failure, at) => {
      if (session.handover === handover) session.handover = undefined;
      if (failure !== undefined) this.#fail(session, failure, tokens, at);
      else if (this.#answer(session, handover, offer, tokens, at)) session.hearMove(offer);
      else control.undo(session, before, change, at);
      session.finishJob(at);
    });
  }

  /** False when the mobile node has given up meanwhile. */
  #answer(
    session: AnchoredSession,
    handover: PendingHandover | undefined,
    offer: SessionDescription,
    tokens: readonly Token[],
    now: Instant,
  ): boolean {
    const { agent, lost, path, tell } = this.#parts;
    const { method = 're-INVITE' } = handover ?? {};
    const isReplacement = method === 'INVITE with Replaces';
    const body = session.handoverAnswer(offer);
    const answers = tokens.map((token, index) => {
      // With an UPDATE, the INVITE's own offer was answered in the 183.
      const content = index === 0 ? { body } : {};
      const own = isReplacement && token === handover?.token ? { path: path } : {};
      return agent.answerLocally(token, { statusCode: 200, ...content, ...own }, now);
    });
    if (answers.includes(false)) return false;
    lost.remove(session);
    const durationMs = now - (handover?.startedAt ?? now);
    tell({ type: 'handover-committed', session: session.call, method, durationMs });
    return true;
  }

  #fail(session: AnchoredSession, failure: Failure, tokens: readonly Token[], now: Instant): void {
    for (const token of tokens) this.#refuse(failure, token, now);
    this.#parts.tell({ type: 'handover-failed', session: session.call, reason: failure.reason });
  }

  #refuse({ isImpossible }: Failure, token: Token, now: Instant): void {
    if (isImpossible) this.refuseVersion(token, now);
    else this.#parts.agent.refuse(token, 503, undefined, now);
  }
}

/** By a 183, to which it says that it is ready (RFC 3262, RFC 3311). */
function canBeToldFirst(request: SipRequest): boolean {
  const has = (name: string, value: string): boolean => listIncludes(request, name, value);
  const isReliable = has('Supported', '100rel') || has('Require', '100rel');
  return request.method === 'INVITE' && isReliable && has('Allow', 'UPDATE');
}
