/**
 * Keeps flows to edge proxies alive and notices when they fail (RFC 5626 §4.4): STUN over UDP, empty lines over byte streams.
 *
 *   idle ──24–29 s (UDP), 95–120 s (streams), or Flow-Timer──→ asked ──answer──→ idle
 *                                                                └── no answer, another mapped address ──→ failed
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { formatTransportAddress, type TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import type { SipTransportProtocol } from '../transaction/sip-event.ts';
import { maximumKeptFlows } from './limits.ts';
import { decodeBinding, encodeBindingRequest } from './stun-binding.ts';

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
}

interface Kept {
  readonly flow: KeptFlow;
  readonly flowTimerMs: DurationMs | undefined;
  /** The request under way: of STUN to be repeated, its octets and how often it was sent. */
  asked: { readonly at: Instant; readonly octets: Uint8Array; sent: number } | undefined;
  mapped: string | undefined;
}

/** RFC 5389 §7.2.1: RTO, number of requests (Rc), and how many RTOs to wait after the last (Rm). */
const stun = { rtoMs: 500, requests: 7, lastWait: 16 };
const pongMs = 10_000;
/** Upper and lower bound of the time between two keep-alives (RFC 5626 §4.4.1, §4.4.2). */
const intervalsMs = { udp: [24_000, 29_000], stream: [95_000, 120_000] } as const;

export class FlowKeeper {
  readonly #random: RandomSource;
  readonly #owner: FlowKeeperOwner;
  readonly #kept = new Map<string, Kept>();
  readonly #deadlines = new DeadlineQueue<string>();

  constructor(random: RandomSource, owner: FlowKeeperOwner) {
    this.#random = random;
    this.#owner = owner;
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

  releaseAllFrom(local: TransportAddress): void {
    for (const [key, { flow }] of this.#kept)
      if (flow.local.address === local.address && flow.local.port === local.port) this.#forget(key);
  }

  /** A STUN message that is no request. */
  handleStun(octets: Uint8Array, local: TransportAddress, remote: TransportAddress, now: Instant): void {
    const key = keyOf({ transport: 'udp', local, remote });
    const kept = this.#kept.get(key);
    const answer = decodeBinding(octets);
    if (kept?.asked === undefined || answer === undefined || answer.kind === 'request') return;
    if (answer.transactionId !== decodeBinding(kept.asked.octets)?.transactionId) return;
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
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #askByStun(key: string, kept: Kept, now: Instant): void {
    kept.asked ??= { at: now, octets: encodeBindingRequest(this.#random), sent: 0 };
    const { asked } = kept;
    if (asked.sent === stun.requests) {
      this.#fail(key, kept);
      return;
    }
    this.#owner.sendDatagram(asked.octets, kept.flow);
    const factor = asked.sent === stun.requests - 1 ? stun.lastWait : 2 ** asked.sent;
    asked.sent += 1;
    this.#deadlines.set(key, now + factor * stun.rtoMs, 'answer to a keep-alive');
  }

  #askByPing(key: string, kept: Kept, now: Instant): void {
    const { asked, flow } = kept;
    if (asked !== undefined && this.#owner.isHeardSince(flow, asked.at)) this.#rest(key, kept, now);
    else if (asked !== undefined || !this.#owner.ping(flow)) this.#fail(key, kept);
    else {
      kept.asked = { at: now, octets: new Uint8Array(0), sent: 1 };
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
    this.#kept.delete(key);
    this.#deadlines.delete(key);
  }
}

function keyOf({ transport, local, remote }: KeptFlow): string {
  const from = transport === 'udp' ? formatTransportAddress(local) : local.address;
  return `${transport} ${from} ${formatTransportAddress(remote)}`;
}
