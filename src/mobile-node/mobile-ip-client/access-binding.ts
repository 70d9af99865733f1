/**
 * The registration over one access (RFC 5944 §3.6, one care-of address of RFC 7629 §5.1): when the next request is due, which reply is
 * awaited, how long the binding lives. Requests with a timestamp are never repeated; each is a new one.
 *
 *   detached ── attach ──> registering ── accepted ──> bound ── half its life ──> bound, renewing
 *      ^                      │  ^                        │
 *      └────── detach ────────┘  └── lifetime over ───────┘
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { EchoProber } from './echo-prober.ts';
import {
  maximumRefusedRetryMs,
  minimumRequestIntervalMs,
  processingAllowanceMs,
  refusedRetryMs,
} from './limits.ts';
import type { MobileIpAccess, MobileIpClientOptions } from './mobile-ip-client-options.ts';
import { UnboundProber } from './unbound-prober.ts';

/** The last request, which alone may be answered (RFC 5944 §3.6.2.1). */
export interface AwaitedReply {
  readonly identification: bigint;
  readonly sentAt: Instant;
  readonly lifetimeSeconds: number;
  readonly isMultipath: boolean;
  /** The order of accesses that the request told. */
  readonly order: string;
  /** Of the access first in it for packets of no particular class. */
  readonly forwardsTo: number | undefined;
}

export class AccessBinding {
  readonly access: MobileIpAccess;
  readonly prober: EchoProber;
  /** While another access has the only binding. */
  readonly unboundProber: UnboundProber;
  careOfAddress: string | undefined;
  awaited: AwaitedReply | undefined;
  /** Of requests without an answer, in a row. */
  unanswered = 0;
  /** While bound; an instant. */
  boundUntil: Instant | undefined;
  /** Of the agent's clock, in its last revocation or registration reply (RFC 3543 §3.5). */
  lastRevocation: number | undefined;
  #sendAt: Instant = Number.POSITIVE_INFINITY;
  #lastSentAt: Instant = Number.NEGATIVE_INFINITY;
  /** When as many seconds will have passed as requests were sent. */
  #averageAt: Instant = Number.NEGATIVE_INFINITY;
  #rttMs: DurationMs = 0;
  #retryMs: DurationMs = refusedRetryMs;
  #waitMs: DurationMs = 0;
  /** When the awaited reply counts as lost. */
  #overdueAt: Instant = Number.POSITIVE_INFINITY;

  constructor(
    access: MobileIpAccess,
    { probeIntervalMs, agentRole }: Pick<MobileIpClientOptions, 'probeIntervalMs' | 'agentRole'>,
  ) {
    this.access = access;
    this.prober = new EchoProber(probeIntervalMs);
    // The policy goes by the round trips to the home agent.
    this.unboundProber = new UnboundProber(agentRole === 'correspondent' ? undefined : probeIntervalMs);
  }

  get isBound(): boolean {
    return this.boundUntil !== undefined;
  }

  /** Nothing is sent over an access without an address. */
  get sendAt(): Instant {
    return this.careOfAddress === undefined ? Number.POSITIVE_INFINITY : this.#sendAt;
  }

  attach(careOfAddress: string, now: Instant): void {
    this.detach();
    this.careOfAddress = careOfAddress;
    this.sendSoon(now);
  }

  detach(): void {
    this.careOfAddress = undefined;
    this.boundUntil = undefined;
    this.awaited = undefined;
    this.unanswered = 0;
    this.#sendAt = Number.POSITIVE_INFINITY;
    this.#retryMs = refusedRetryMs;
    this.#rttMs = 0;
    this.prober.stop();
    this.unboundProber.stop();
  }

  /** As soon as the rule allows. */
  sendSoon(now: Instant, isMovement = false): void {
    this.#sendAt = this.canSendAt(now, isMovement);
    this.#waitMs = 0;
  }

  /**
   * RFC 5944 §3.6.3's interval is that of requests without a reply. For what follows a movement §2.4.2 wants one per second "on average",
   * and §3.6 excepts what the link layer indicates: a handover to an access that has just been registered does not wait.
   */
  canSendAt(now: Instant, isMovement = false): Instant {
    if (isMovement && this.unanswered === 0) return Math.max(now, this.#averageAt - minimumRequestIntervalMs);
    return Math.max(now, this.#lastSentAt + minimumRequestIntervalMs);
  }

  /** RFC 5944 §3.6.3: after each request without an answer at least twice as long, but never longer than the lifetime asked for. */
  sent(awaited: AwaitedReply): void {
    const first = Math.max(minimumRequestIntervalMs, 2 * this.#rttMs + processingAllowanceMs);
    this.#waitMs = Math.min(
      Math.max(first, 2 * this.#waitMs),
      Math.max(first, awaited.lifetimeSeconds * 1000),
    );
    this.awaited = awaited;
    this.unanswered += 1;
    this.#lastSentAt = awaited.sentAt;
    this.#averageAt = Math.max(this.#averageAt, awaited.sentAt) + minimumRequestIntervalMs;
    this.#sendAt = awaited.sentAt + this.#waitMs;
    this.#overdueAt = this.#sendAt;
  }

  /** The request whose reply did not come in time; not one that another has merely taken the place of. */
  takeOverdue(now: Instant): AwaitedReply | undefined {
    if (this.awaited === undefined || now < this.#overdueAt) return undefined;
    this.#overdueAt = Number.POSITIVE_INFINITY;
    return this.awaited;
  }

  /** Some valid reply came: the way is there. When its request was sent. */
  answered(now: Instant): AwaitedReply | undefined {
    const { awaited } = this;
    if (awaited !== undefined) this.#rttMs = now - awaited.sentAt;
    this.awaited = undefined;
    this.unanswered = 0;
    return awaited;
  }

  /** The lifetime counts from the sending of the request (RFC 5944 §3.6.2.2); half of it leaves time to try again. */
  accepted(sentAt: Instant, grantedSeconds: number, keepaliveMs: DurationMs, now: Instant): void {
    this.boundUntil = sentAt + grantedSeconds * 1000;
    this.#sendAt = Math.max(this.canSendAt(now), sentAt + grantedSeconds * 500);
    this.#waitMs = 0;
    this.#retryMs = refusedRetryMs;
    this.prober.start(keepaliveMs, now);
  }

  /** An existing binding stays: what is refused changes nothing at the agent. */
  refused(now: Instant): void {
    this.#sendAt = now + this.#retryMs;
    this.#waitMs = 0;
    this.#retryMs = Math.min(2 * this.#retryMs, maximumRefusedRetryMs);
  }

  /** The agent no longer has it. */
  lost(): void {
    this.boundUntil = undefined;
    this.prober.stop();
  }
}
