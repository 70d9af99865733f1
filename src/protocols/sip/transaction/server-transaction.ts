/** What both server transactions are to the table that holds them (RFC 3261 §17.2). */
import type { Instant } from '../../../base/instant.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import type { ServerTransactionId } from './sip-event.ts';
import { Transaction, type TransactionHost } from './transaction.ts';

export type ServerTransactionHost = TransactionHost<ServerTransaction>;

export interface ServerTransactionNames {
  readonly key: string;
  /** Equal for copies of the request that took other ways (§8.2.2.2). */
  readonly mergeKey: string | undefined;
  /** Refused here: the transaction user has never heard of it. */
  readonly isMerged: boolean;
}

export abstract class ServerTransaction
  extends Transaction<ServerTransaction>
  implements ServerTransactionId
{
  readonly mergeKey: string | undefined;
  isCancelled = false;
  protected readonly host: ServerTransactionHost;

  constructor(
    { key, mergeKey, isMerged }: ServerTransactionNames,
    route: SipRoute,
    host: ServerTransactionHost,
  ) {
    super(key, route, isMerged);
    this.mergeKey = mergeKey;
    this.host = host;
  }

  get side(): 'server' {
    return 'server';
  }

  /** Whether a final response was given. */
  abstract readonly isAnswered: boolean;

  /** The request once more. */
  abstract handleRetransmission(now: Instant): void;
  abstract handleTransportFailure(): void;
  /** From the transaction user. */
  abstract respond(response: SipResponse, now: Instant): void;
}
