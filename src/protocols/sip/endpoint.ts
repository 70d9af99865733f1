/**
 * SIP transport and transactions in one machine, used by every network function that speaks SIP (RFC 3261 §17, §18; RFC 6026;
 * RFC 3581). Above it stands a transaction user: a UA core, a B2BUA, or the proxy core.
 * Leaves out TLS, multicast and DNS: targets are addresses.
 */
import type { Instant } from '../../base/instant.ts';
import type { Machine, Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { SipRequest, SipResponse } from './message/sip-message.ts';
import type {
  ClientTransactionId,
  ServerTransactionId,
  SipEvent,
  SipTarget,
  SipTransportProtocol,
} from './transaction/sip-event.ts';
import type { SipTimers } from './transaction/timers.ts';

export interface SipListener {
  readonly transport: SipTransportProtocol;
  readonly address: string;
  readonly port: number;
}

export interface SipEndpointOptions {
  readonly listen: readonly SipListener[];
  readonly random: RandomSource;
  /** User-Agent of requests and Server of responses that have none. */
  readonly userAgent?: string;
  readonly timers?: Partial<SipTimers>;
  /** Answer 482 to a request that came here by another way already (RFC 3261 §8.2.2.2): right for a UA, wrong for a proxy. */
  readonly refuseMergedRequests?: boolean;
}

/** Inputs that belong to nobody here (other listeners, other connections) are ignored: a parent may hand every input to every child. */
export class SipEndpoint implements Machine<NetworkInput, NetworkOutput> {
  constructor(options: SipEndpointOptions) {
    void options;
  }

  /** Asks the host for the listening sockets. */
  start(now: Instant): void {
    void now;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    void [input, now];
  }

  handleTimeout(now: Instant): void {
    void now;
  }

  pollTimeout(): Timeout | undefined {
    return undefined;
  }

  pollOutput(): NetworkOutput | undefined {
    return undefined;
  }

  /** What the transaction user has to know; drain it after every call, as the outputs. */
  pollEvent(): SipEvent | undefined {
    return undefined;
  }

  /**
   * Sends a copy of `request` with a Via on top, and with Max-Forwards and User-Agent when they are missing. Its end comes as
   * 'response', 'timed-out' or 'transport-failed', then 'terminated'.
   */
  sendRequest(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    void [request, target, now];
    return 'client-0';
  }

  /** Sends the ACK for a 2xx: with a Via of its own, no answer awaited, never repeated by itself. */
  sendWithoutTransaction(request: SipRequest, target: SipTarget, now: Instant): void {
    void [request, target, now];
  }

  /** Any number of provisional responses, then a final one; a 2xx to an INVITE may be repeated. What comes too late is dropped. */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    void [transaction, response, now];
  }

  /** Sends CANCEL for an INVITE as soon as a provisional response has come, unless a final one came (RFC 3261 §9.1). */
  cancel(transaction: ClientTransactionId, now: Instant): void {
    void [transaction, now];
  }

  addListener(listener: SipListener, now: Instant): void {
    void [listener, now];
  }

  /** The address is gone: its connections close and its client transactions fail at once. */
  removeListener(listener: SipListener, now: Instant): void {
    void [listener, now];
  }
}
