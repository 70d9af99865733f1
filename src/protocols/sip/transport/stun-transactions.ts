/**
 * Client transactions of STUN Binding requests over flows of SIP (RFC 5389 §7.2.1): sent again until they are answered, each known by its
 * 96 random bits, and answered only by the peer that was asked.
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { sameTransportAddress, type TransportAddress } from '../../../base/network.ts';
import type { RandomSource } from '../../../base/random-source.ts';
import type { KeptFlow } from './flow-keeper.ts';
import { decodeBinding, encodeBindingRequest } from './stun-binding.ts';

export type StunTransactionId = string;

export interface StunAnswer {
  readonly id: StunTransactionId;
  /** Where the request came from, as the peer saw it; `undefined`: it refused. */
  readonly mapped: TransportAddress | undefined;
}

interface Asked {
  readonly flow: KeptFlow;
  readonly octets: Uint8Array;
  readonly requests: number;
  sent: number;
}

/** §7.2.1: RTO, number of requests (Rc), and how many RTOs to wait after the last (Rm). */
const stun = { rtoMs: 500, requests: 7, lastWait: 16 };

export class StunTransactions {
  readonly #random: RandomSource;
  readonly #send: (octets: Uint8Array, flow: KeptFlow) => void;
  readonly #asked = new Map<StunTransactionId, Asked>();
  readonly #deadlines = new DeadlineQueue<StunTransactionId>();

  constructor(random: RandomSource, send: (octets: Uint8Array, flow: KeptFlow) => void) {
    this.#random = random;
    this.#send = send;
  }

  get size(): number {
    return this.#asked.size;
  }

  /** `requests`: how often it is sent, at most. */
  begin(flow: KeptFlow, now: Instant, requests: number = stun.requests): StunTransactionId {
    const octets = encodeBindingRequest(this.#random);
    const id = decodeBinding(octets)!.transactionId;
    const asked = { flow, octets, requests, sent: 0 };
    this.#asked.set(id, asked);
    this.#transmit(id, asked, now);
    return id;
  }

  end(id: StunTransactionId): void {
    this.#asked.delete(id);
    this.#deadlines.delete(id);
  }

  endAllFrom(local: TransportAddress): void {
    for (const [id, { flow }] of this.#asked) if (sameTransportAddress(flow.local, local)) this.end(id);
  }

  /** A STUN message that is no request; `undefined`: it answers nothing that was asked over this flow. */
  handleMessage(
    octets: Uint8Array,
    local: TransportAddress,
    remote: TransportAddress,
  ): StunAnswer | undefined {
    const answer = decodeBinding(octets);
    const flow = answer && this.#asked.get(answer.transactionId)?.flow;
    if (answer === undefined || answer.kind === 'request' || flow === undefined) return undefined;
    if (!sameTransportAddress(flow.local, local) || !sameTransportAddress(flow.remote, remote))
      return undefined;
    this.end(answer.transactionId);
    return { id: answer.transactionId, mapped: answer.mapped };
  }

  /** Gives those that nobody has answered; they have ended. */
  handleTimeout(now: Instant): StunTransactionId[] {
    const unanswered: StunTransactionId[] = [];
    for (let id = this.#deadlines.takeDue(now); id !== undefined; id = this.#deadlines.takeDue(now)) {
      const asked = this.#asked.get(id)!;
      if (asked.sent < asked.requests) this.#transmit(id, asked, now);
      else {
        this.end(id);
        unanswered.push(id);
      }
    }
    return unanswered;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #transmit(id: StunTransactionId, asked: Asked, now: Instant): void {
    this.#send(asked.octets, asked.flow);
    const factor = asked.sent === stun.requests - 1 ? stun.lastWait : 2 ** asked.sent;
    asked.sent += 1;
    this.#deadlines.set(id, now + factor * stun.rtoMs, 'answer to a STUN request');
  }
}
