/** What both client transactions are to the table that holds them (RFC 3261 §17.1). */
import type { Instant } from '../../../base/instant.ts';
import { ownText } from '../../../base/own-text.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import type { ClientTransactionId } from './sip-event.ts';
import { Transaction, type TransactionHost } from './transaction.ts';

/** A request made ready for its way. */
export interface PreparedRequest {
  /** With Via; not changed any more. */
  readonly request: SipRequest;
  readonly octets: Uint8Array;
  readonly route: SipRoute;
  /** Under which its responses are awaited. */
  readonly key: string;
  /** The same over UDP, when only its size sent it to TCP (RFC 3261 §18.1.1). */
  readonly fallback?: PreparedRequest | undefined;
}

export type ClientTransactionHost = TransactionHost<ClientTransaction>;

export abstract class ClientTransaction
  extends Transaction<ClientTransaction>
  implements ClientTransactionId
{
  /** As long as a final response is awaited: it is given up then, since the transaction lasts longer. */
  prepared: PreparedRequest | undefined;
  user: unknown = undefined;
  protected readonly host: ClientTransactionHost;

  /** `isInternal`: the CANCEL of an INVITE; nobody above has to know how it ends. */
  constructor(prepared: PreparedRequest, isInternal: boolean, host: ClientTransactionHost) {
    super(ownText(prepared.key), prepared.route, isInternal);
    this.prepared = prepared;
    this.host = host;
  }

  get side(): 'client' {
    return 'client';
  }

  /** The request has to go another way; to be followed by `start`. */
  prepareAnew(prepared: PreparedRequest): void {
    this.prepared = prepared;
    this.route = prepared.route;
    this.key = ownText(prepared.key);
  }

  /** No response yet / only provisional ones / a final one. */
  abstract readonly progress: 'unanswered' | 'proceeding' | 'answered';

  /** Sends the request; the clocks start anew. */
  abstract start(now: Instant): void;
  abstract handleResponse(response: SipResponse, now: Instant): void;
  abstract handleTransportFailure(): void;
}
