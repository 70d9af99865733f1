/**
 * What a stateful proxy remembers of one request (RFC 3261 §16.7, "response context"): its branches, the final responses that came,
 * and what has gone upstream.
 */
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, ServerTransactionId, SipArrival } from '../transaction/sip-event.ts';

export class ResponseContext {
  readonly transaction: ServerTransactionId;
  /** As the owner edited it. */
  readonly request: SipRequest;
  readonly arrival: SipArrival;
  /** Client transactions without final response. */
  readonly pending: Set<ClientTransactionId> = new Set();
  /** Final responses other than 2xx. */
  readonly failures: SipResponse[] = [];
  /** 'answered': a final response has gone upstream; only further 2xx of an INVITE may follow. */
  state: 'undecided' | 'forwarded' | 'chosen' | 'answered' = 'undecided';
  /** The caller has sent CANCEL: no branch may be added. */
  isCancelled = false;

  constructor(transaction: ServerTransactionId, request: SipRequest, arrival: SipArrival) {
    this.transaction = transaction;
    this.request = request;
    this.arrival = arrival;
  }

  get isInvite(): boolean {
    return this.request.method === 'INVITE';
  }
}
