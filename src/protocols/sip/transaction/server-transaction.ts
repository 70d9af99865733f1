/** What both server transactions take in and give out (RFC 3261 §17.2): the contract with the table that holds them. */
import type { Machine } from '../../../base/machine.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipArrival } from './sip-event.ts';

interface ArrivedAck {
  readonly kind: 'ack';
  readonly ack: SipRequest;
  readonly arrival: SipArrival;
}

export type ServerTransactionInput =
  /** The request once more. */
  | { readonly kind: 'retransmission' }
  | ArrivedAck
  /** From the transaction user. */
  | { readonly kind: 'respond'; readonly response: SipResponse }
  | { readonly kind: 'transport-failed' };

export type ServerTransactionOutput =
  | { readonly kind: 'send'; readonly octets: Uint8Array }
  /** An ACK that is not absorbed. */
  | ArrivedAck
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'ack-missing' }
  | { readonly kind: 'transport-failed' }
  | { readonly kind: 'terminated' };

export interface ServerTransaction extends Machine<ServerTransactionInput, ServerTransactionOutput> {
  /** Whether a final response was given. */
  readonly isAnswered: boolean;
  /** See transaction-deadlines.ts. */
  readonly isAbsorbing: boolean;
}
