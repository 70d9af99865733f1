/**
 * Stateful proxy core (RFC 3261 §16, RFC 6026 §7.3), the common part of P-, I- and S-CSCF. The owner decides where each request goes
 * and does the header work; the core validates, pops Routes, forks, chooses the best response and cancels.
 * Leaves out recursion on 3xx, loop detection (Max-Forwards ends every loop) and stateless forwarding of a stray CANCEL.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import type { SipEndpoint } from '../endpoint.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ServerTransactionId, SipTransportProtocol } from '../transaction/sip-event.ts';
import type { SipTimers } from '../transaction/timers.ts';
import type { ForwardTarget, ProxyEvent } from './proxy-event.ts';

/** What a name stands for; port 5060 and UDP unless said otherwise, here or in the URI. */
export interface HostAddress {
  readonly address: string;
  readonly port?: number;
  readonly transport?: SipTransportProtocol;
}

export interface SipProxyOptions {
  readonly endpoint: SipEndpoint;
  /** 'host' (with any port) or 'host:port'. A Route that names one of them is the proxy's own, with or without lr. */
  readonly ownNames: readonly string[];
  /** Names that may stand in Route and Request-URI. */
  readonly hosts?: ReadonlyMap<string, HostAddress>;
  /** Option tags accepted in Proxy-Require. */
  readonly extensions?: readonly string[];
  readonly timers?: Partial<SipTimers>;
}

export class SipProxy implements Machine<NetworkInput, NetworkOutput> {
  /** For the owner's own requests. */
  readonly endpoint: SipEndpoint;

  constructor(options: SipProxyOptions) {
    this.endpoint = options.endpoint;
  }

  start(now: Instant): void {
    this.endpoint.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.endpoint.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    this.endpoint.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.endpoint.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.endpoint.pollOutput();
  }

  /** Drain it after every call, before the outputs. */
  pollEvent(now: Instant): ProxyEvent | undefined {
    void now;
    return undefined;
  }

  /**
   * Sends the request of a 'request' event, as edited, to all targets at once. Also after a 'response-chosen' event with a final
   * response other than 2xx and 6xx: then that response is dropped and the new targets are tried.
   */
  forward(transaction: ServerTransactionId, targets: readonly ForwardTarget[], now: Instant): void {
    void [transaction, targets, now];
  }

  /** Answers by itself, or sends the (edited) response of a 'response-chosen' event. */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    this.endpoint.respond(transaction, response, now);
  }

  /** Sends the ACK of an 'ack' event on. */
  forwardAck(request: SipRequest, target: ForwardTarget, now: Instant): void {
    void [request, target, now];
  }
}
