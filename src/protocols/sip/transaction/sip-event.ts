/**
 * What SIP transactions and transports tell their user (RFC 3261 §17: "TU"): a UA core, a B2BUA or the proxy core.
 * RFC 3261 §17 and §18.4, RFC 6026. Requests and responses are already parsed, matched and freed of retransmissions.
 */
import type { TransportAddress, TransportProtocol } from '../../../base/network.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipUri } from '../message/sip-uri.ts';
import type { KeptFlow } from '../transport/flow-keeper.ts';
import type { StunTransactionId } from '../transport/stun-transactions.ts';

export type SipTransportProtocol = TransportProtocol;

/** Names a request that this endpoint sent and whose responses it awaits; compared by identity. */
export interface ClientTransactionId {
  readonly side: 'client';
  /** What its user wants to find again when he hears of it; his alone. */
  user: unknown;
}

/** Names a request that this endpoint received and has to answer; compared by identity. */
export interface ServerTransactionId {
  readonly side: 'server';
}

/** Where to send a message: the next hop, and if it matters the own address to send from. */
export interface SipTarget {
  /** Default 'udp', which a request of more than 1300 octets leaves for TCP (RFC 3261 §18.1.1). */
  readonly transport?: SipTransportProtocol;
  readonly address: string;
  readonly port: number;
  /** One of the endpoint's listening addresses; by default the first one of the right transport and family. */
  readonly local?: TransportAddress;
  /** TLS: the name that the server's certificate must hold, the domain that was asked for (RFC 5922 §4); default its address. */
  readonly serverName?: string;
}

/** Where to send a message when only the domain is known: found by the DNS (RFC 3263). */
export interface SipDomain {
  readonly uri: SipUri;
  readonly local?: TransportAddress;
}

/** How a request came in. */
export interface SipArrival {
  readonly source: TransportAddress;
  readonly local: TransportAddress;
  readonly transport: SipTransportProtocol;
}

export type SipEvent =
  /** A new request other than ACK and CANCEL; answer it with `respond`. */
  | ({
      readonly kind: 'request';
      readonly transaction: ServerTransactionId;
      readonly request: SipRequest;
    } & SipArrival)
  /** An ACK that no transaction absorbs: the one for a 2xx. It carries a To tag; find the dialog by it. */
  | ({ readonly kind: 'ack'; readonly request: SipRequest } & SipArrival)
  /** A CANCEL came for this INVITE, which has no final response yet; the CANCEL is answered, the INVITE wants its 487. */
  | { readonly kind: 'cancelled'; readonly transaction: ServerTransactionId }
  /** Provisional (100 too) or final. For an INVITE each 2xx comes up, repeated ones included: send the ACK again. */
  | {
      readonly kind: 'response';
      readonly transaction: ClientTransactionId;
      readonly response: SipResponse;
    }
  /** No final response in time (timer B or F, or 64·T1 after a CANCEL): treat as 408. The transaction is gone. */
  | { readonly kind: 'timed-out'; readonly transaction: ClientTransactionId }
  /** The message could not be sent. A client transaction is gone (treat as 503); a server transaction stays (RFC 6026 §7.1). */
  | {
      readonly kind: 'transport-failed';
      readonly transaction: ClientTransactionId | ServerTransactionId;
    }
  /** The ACK for a non-2xx final response came. */
  | { readonly kind: 'acknowledged'; readonly transaction: ServerTransactionId }
  /** Timer H: the ACK for a non-2xx final response never came. */
  | { readonly kind: 'ack-missing'; readonly transaction: ServerTransactionId }
  /** A flow that `keepFlow` was asked for has failed: register anew (RFC 5626 §4.5). It is not kept any more. */
  | { readonly kind: 'kept-flow-failed'; readonly flow: KeptFlow }
  /** The peer has answered to `checkFlow`. */
  | { readonly kind: 'flow-answered'; readonly check: StunTransactionId }
  /** The last event of every transaction, whatever its end: nothing more comes, its id can be forgotten. */
  | {
      readonly kind: 'terminated';
      readonly transaction: ClientTransactionId | ServerTransactionId;
    };

export function isClientTransaction(
  transaction: ClientTransactionId | ServerTransactionId,
): transaction is ClientTransactionId {
  return transaction.side === 'client';
}
