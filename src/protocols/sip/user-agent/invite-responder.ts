/**
 * The UAS side of one INVITE in one dialog: responses leave in order, reliable provisional ones are repeated until their PRACK comes
 * (RFC 3262 §3), the 2xx until its ACK comes (RFC 3261 §13.3.1.4).
 *
 *   idle ──reliable 1xx──→ awaiting PRACK ──PRACK──→ idle ──2xx──→ awaiting ACK ──ACK──→ stopped
 *                              └─ 64·T1 ─→ INVITE given up           └─ 64·T1 ─→ leg lost
 *
 * A 2xx waits behind unacknowledged provisional responses (§3 forbids it to pass one with a session description; here it passes none).
 */
import type { Instant } from '../../../base/instant.ts';
import { randomBelow } from '../../../base/random-source.ts';
import { emptyList, withItem } from '../../../base/short-list.ts';
import { createResponse } from '../message/create-response.ts';
import type { RAck } from '../message/cseq.ts';
import { cseqOf } from '../message/header-fields.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type { ServerTransactionId } from '../transaction/sip-event.ts';
import { transactionTimeoutMs } from '../transaction/timers.ts';
import type { Answer, IncomingRequest } from './incoming-request.ts';
import type { LegDialog } from './leg-dialog.ts';
import { type LegHost, LegTimer } from './leg-host.ts';
import { maxQueuedResponses } from './limits.ts';
import { writeContent } from './message-content.ts';
import { contactOfResponse } from './secured-contact.ts';

/** How the responder reports; implemented by the leg. */
export interface ResponderOwner {
  readonly contact: string;
  /** The answer goes out for the first time. */
  answerLeaves(invite: IncomingRequest, dialog: LegDialog, answer: Answer): void;
  /** Adds what is the leg's own business. */
  completeResponse(invite: IncomingRequest, response: SipResponse, now: Instant): void;
  prackMissing(invite: IncomingRequest, now: Instant): void;
  ackMissing(invite: IncomingRequest, now: Instant): void;
}

interface Repeated {
  readonly answer: Answer;
  readonly response: SipResponse;
  readonly rseq: number;
  readonly giveUpAt: Instant;
  intervalMs: number;
}

export class InviteResponder extends LegTimer {
  readonly dialog: LegDialog;
  readonly #invite: IncomingRequest;
  readonly #transaction: ServerTransactionId;
  readonly #host: LegHost;
  readonly #owner: ResponderOwner;
  /** Behind the one that is awaited. */
  #queue: readonly Answer[] = emptyList;
  #awaiting: Repeated | undefined;
  #nextRseq: number;

  constructor(invite: IncomingRequest, dialog: LegDialog, host: LegHost, owner: ResponderOwner) {
    super();
    this.dialog = dialog;
    this.#invite = invite;
    this.#transaction = invite.transaction;
    this.#host = host;
    this.#owner = owner;
    // RFC 3262 §3: uniformly chosen, below 2^31 so that it cannot wrap.
    this.#nextRseq = 1 + randomBelow(host.random, 0x7fff_fffe);
  }

  provide(answer: Answer, now: Instant): void {
    if (this.#queue.length >= maxQueuedResponses && answer.statusCode < 200) return;
    if (this.#awaiting === undefined) this.#send(answer, now);
    else this.#queue = withItem(this.#queue, answer);
  }

  /** The answer that this PRACK acknowledges, which is then no longer repeated; `undefined` is worth a 481. */
  takePrack(rack: RAck, now: Instant): Answer | undefined {
    const awaiting = this.#awaiting;
    const { number } = cseqOf(this.#invite.request);
    if (awaiting === undefined || !awaiting.answer.isReliable) return undefined;
    if (rack.rseq !== awaiting.rseq || rack.cseq.number !== number || rack.cseq.method !== 'INVITE')
      return undefined;
    this.#settle();
    this.#advance(now);
    return awaiting.answer;
  }

  /** Whether a 2xx of this dialog is being repeated. */
  get isAwaitingAck(): boolean {
    return this.#awaiting !== undefined && !this.#awaiting.answer.isReliable;
  }

  /** What waits for PRACK or ACK goes out once more, out of its turn. */
  repeat(now: Instant): void {
    if (this.#awaiting !== undefined) this.#host.respond(this.#transaction, this.#awaiting.response, now);
  }

  get unacknowledged(): Answer | undefined {
    return this.#awaiting?.answer.isReliable ? this.#awaiting.answer : undefined;
  }

  stop(): void {
    this.#queue = emptyList;
    if (this.#awaiting?.answer.isReliable) this.#noteOvertaken(this.#awaiting);
    this.#settle();
  }

  handleTimeout(now: Instant): void {
    const awaiting = this.#awaiting;
    if (awaiting === undefined) return;
    if (now >= awaiting.giveUpAt) {
      this.stop();
      if (awaiting.answer.isReliable) this.#owner.prackMissing(this.#invite, now);
      else this.#owner.ackMissing(this.#invite, now);
      return;
    }
    this.#host.respond(this.#transaction, awaiting.response, now);
    const doubled = awaiting.intervalMs * 2;
    awaiting.intervalMs = awaiting.answer.isReliable ? doubled : Math.min(doubled, this.#host.timers.t2Ms);
    this.#schedule(awaiting, now);
  }

  #advance(now: Instant): void {
    for (
      let next = this.#queue[0];
      next !== undefined && this.#awaiting === undefined;
      next = this.#queue[0]
    ) {
      this.#queue = this.#queue.slice(1);
      this.#send(next, now);
    }
  }

  #send(answer: Answer, now: Instant): void {
    this.#owner.answerLeaves(this.#invite, this.dialog, answer);
    const rseq = answer.isReliable ? this.#nextRseq++ : 0;
    const response = this.#build(answer, rseq);
    this.#owner.completeResponse(this.#invite, response, now);
    this.#host.respond(this.#transaction, response, now);
    if (!answer.isReliable && answer.statusCode < 200) return;
    const { t1Ms } = this.#host.timers;
    const giveUpAt = now + transactionTimeoutMs(this.#host.timers);
    this.#awaiting = { answer, response, rseq, giveUpAt, intervalMs: t1Ms };
    this.#schedule(this.#awaiting, now);
  }

  #build(answer: Answer, rseq: number): SipResponse {
    const { reasonPhrase } = answer;
    const toTag = this.dialog.dialog.localTag;
    const response = createResponse(this.#invite.request, answer.statusCode, { toTag, reasonPhrase });
    response.headers.append('Contact', contactOfResponse(this.#invite.request, this.#owner.contact));
    writeContent(response, answer.content);
    if (!answer.isReliable) return response;
    response.headers.append('Require', '100rel');
    response.headers.append('RSeq', String(rseq));
    return response;
  }

  #noteOvertaken({ rseq, answer }: Repeated): void {
    const { request } = this.#invite;
    this.dialog.overtaken = { rseq, cseq: cseqOf(request) };
    // The offer that was in it will not be answered any more.
    const wasOffer = answer.hasSessionDescription && !this.#invite.hasSessionDescription;
    if (wasOffer && this.dialog.openOffer === 'ours') this.dialog.openOffer = undefined;
  }

  #schedule(awaiting: Repeated, now: Instant): void {
    const reason = awaiting.answer.isReliable ? 'PRACK missing' : 'ACK missing';
    this.#host.setTimer(this, Math.min(now + awaiting.intervalMs, awaiting.giveUpAt), reason);
  }

  #settle(): void {
    this.#awaiting = undefined;
    this.#host.clearTimer(this);
  }
}
