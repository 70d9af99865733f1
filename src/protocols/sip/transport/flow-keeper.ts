/**
 * Keeps flows to edge proxies alive and notices when they fail (RFC 5626 §4.4): STUN over UDP, empty lines over byte streams.
 *
 *   idle ──24–29 s (UDP), 95–120 s (streams), or Flow-Timer──→ asked ──answer──→ idle
 *                                                                └── no answer, another mapped address ──→ failed
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../../base/machine.ts';
import { formatTransportAddress, type TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import type { SipTransportProtocol } from '../transaction/sip-event.ts';
import { maximumFlowChecks, maximumKeptFlows } from './limits.ts';
import { type StunAnswer, type StunTransactionId, StunTransactions } from './stun-transactions.ts';

export interface KeptFlow {
  readonly transport: SipTransportProtocol;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  /** TLS: see SipTarget. */
  readonly serverName?: string | undefined;
}

/** What the keeper asks of the transport. */
export interface FlowKeeperOwner {
  sendDatagram(octets: Uint8Array, flow: KeptFlow): void;
  /** False when there is no connection to that peer. */
  ping(flow: KeptFlow): boolean;
  /** Whether anything came over the connection since then. */
  isHeardSince(flow: KeptFlow, since: Instant): boolean;
  flowFailed(flow: KeptFlow): void;
  /** To `check`. */
  flowAnswered(check: StunTransactionId): void;
}

interface Kept {
  readonly flow: KeptFlow;
  readonly flowTimerMs: DurationMs | undefined;
  /** The request under way, over UDP with its transaction. */
  asked: { readonly at: Instant; readonly transaction?: StunTransactionId } | undefined;
  mapped: string | undefined;
}

const pongMs = 10_000;
/** Upper and lower bound of the time between two keep-alives (RFC 5626 §4.4.1, §4.4.2). */
const intervalsMs = { udp: [24_000, 29_000], stream: [95_000, 120_000] } as const;
/** A check is sent twice, half a second apart: who asks wants to know now or not at all. */
const requestsOfCheck = 2;

export class FlowKeeper {
  readonly #random: RandomSource;
  readonly #owner: FlowKeeperOwner;
  readonly #kept = new Map<string, Kept>();
  readonly #deadlines = new DeadlineQueue<string>();
  readonly #transactions: StunTransactions;
  /** Requests under way that keep a flow alive, with its key; the others are checks. */
  readonly #keepAlives = new Map<StunTransactionId, string>();

  constructor(random: RandomSource, owner: FlowKeeperOwner) {
    this.#random = random;
    this.#owner = owner;
    this.#transactions = new StunTransactions(random, (octets, flow) => owner.sendDatagram(octets, flow));
  }

  /** `flowTimerMs`: of the registrar's or proxy's Flow-Timer (§4.4: keep-alives come well within it). */
  keep(flow: KeptFlow, flowTimerMs: DurationMs | undefined, now: Instant): void {
    const key = keyOf(flow);
    if (!this.#kept.has(key) && this.#kept.size >= maximumKeptFlows) return;
    const known = this.#kept.get(key);
    const kept = { flow, flowTimerMs, asked: known?.asked, mapped: known?.mapped };
    this.#kept.set(key, kept);
    if (kept.asked === undefined) this.#rest(key, kept, now);
  }

  release(flow: KeptFlow): void {
    this.#forget(keyOf(flow));
  }

  /** Asks over a flow now, kept or not; `undefined` where STUN is not spoken, and when too much is asked already. */
  check(flow: KeptFlow, now: Instant): StunTransactionId | undefined {
    if (flow.transport !== 'udp' || this.#transactions.size - this.#keepAlives.size >= maximumFlowChecks)
      return undefined;
    return this.#transactions.begin(flow, now, requestsOfCheck);
  }

  releaseAllFrom(local: TransportAddress): void {
    for (const [key, { flow }] of this.#kept)
      if (flow.local.address === local.address && flow.local.port === local.port) this.#forget(key);
    this.#transactions.endAllFrom(local);
  }

  /** A STUN message that is no request. */
  handleStun(octets: Uint8Array, local: TransportAddress, remote: TransportAddress, now: Instant): void {
    const answer = this.#transactions.handleMessage(octets, local, remote);
    if (answer === undefined) return;
    const key = this.#keepAlives.get(answer.id);
    if (key === undefined) this.#owner.flowAnswered(answer.id);
    else this.#answered(key, answer, now);
  }

  #answered(key: string, answer: StunAnswer, now: Instant): void {
    const kept = this.#kept.get(key)!;
    this.#keepAlives.delete(answer.id);
    const mapped = answer.mapped && formatTransportAddress(answer.mapped);
    // §4.4.2: seen from outside, the flow is another one now.
    if (mapped === undefined || (kept.mapped !== undefined && kept.mapped !== mapped)) {
      this.#fail(key, kept);
      return;
    }
    kept.mapped = mapped;
    this.#rest(key, kept, now);
  }

  handleTimeout(now: Instant): void {
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) {
      const kept = this.#kept.get(key)!;
      if (kept.flow.transport === 'udp') this.#askByStun(key, kept, now);
      else this.#askByPing(key, kept, now);
    }
    for (const id of this.#transactions.handleTimeout(now)) {
      const key = this.#keepAlives.get(id);
      if (key !== undefined) this.#fail(key, this.#kept.get(key)!);
    }
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#deadlines.peek(), this.#transactions.pollTimeout());
  }

  #askByStun(key: string, kept: Kept, now: Instant): void {
    const transaction = this.#transactions.begin(kept.flow, now);
    kept.asked = { at: now, transaction };
    this.#keepAlives.set(transaction, key);
  }

  #askByPing(key: string, kept: Kept, now: Instant): void {
    const { asked, flow } = kept;
    if (asked !== undefined && this.#owner.isHeardSince(flow, asked.at)) this.#rest(key, kept, now);
    else if (asked !== undefined || !this.#owner.ping(flow)) this.#fail(key, kept);
    else {
      kept.asked = { at: now };
      this.#deadlines.set(key, now + pongMs, 'answer to a keep-alive');
    }
  }

  /** Until the next keep-alive: a random time, never later than the Flow-Timer, 20 % below at the earliest. */
  #rest(key: string, kept: Kept, now: Instant): void {
    kept.asked = undefined;
    const { flow, flowTimerMs } = kept;
    const [lower, upper] =
      flowTimerMs === undefined
        ? intervalsMs[flow.transport === 'udp' ? 'udp' : 'stream']
        : [flowTimerMs * 0.8, flowTimerMs];
    this.#deadlines.set(key, now + lower + randomBelow(this.#random, upper - lower), 'keep-alive');
  }

  #fail(key: string, { flow }: Kept): void {
    this.#forget(key);
    this.#owner.flowFailed(flow);
  }

  #forget(key: string): void {
    const transaction = this.#kept.get(key)?.asked?.transaction;
    if (transaction !== undefined) {
      this.#transactions.end(transaction);
      this.#keepAlives.delete(transaction);
    }
    this.#kept.delete(key);
    this.#deadlines.delete(key);
  }
}

function keyOf({ transport, local, remote }: KeptFlow): string {
  const from = transport === 'udp' ? formatTransportAddress(local) : local.address;
  return `${transport} ${from} ${formatTransportAddress(remote)}`;
}
