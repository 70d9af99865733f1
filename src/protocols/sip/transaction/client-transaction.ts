/** What both client transactions take in and give out (RFC 3261 §17.1): the contract with the table that holds them. */
import type { Instant } from '../../../base/instant.ts';
import type { Machine } from '../../../base/machine.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type { SipTimers } from './timers.ts';

export type ClientTransactionInput =
  | { readonly kind: 'response'; readonly response: SipResponse }
  /** A CANCEL for it was sent. */
  | { readonly kind: 'cancel-sent' }
  | { readonly kind: 'transport-failed' };

export type ClientTransactionOutput =
  | { readonly kind: 'send'; readonly octets: Uint8Array }
  | { readonly kind: 'response'; readonly response: SipResponse }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'transport-failed' }
  | { readonly kind: 'terminated' };

export interface ClientTransaction extends Machine<ClientTransactionInput, ClientTransactionOutput> {
  /** No response yet / only provisional ones / a final one. */
  readonly progress: 'unanswered' | 'proceeding' | 'answered';
  /** See transaction-deadlines.ts. */
  readonly isAbsorbing: boolean;
}

export interface TransactionOptions {
  readonly timers: SipTimers;
  /** Over TCP: nothing is repeated and nothing waits for repetitions. */
  readonly isReliable: boolean;
  readonly now: Instant;
}
