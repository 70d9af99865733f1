/**
 * Echoes through the tunnel of one access (RFC 3519 §4.9): keep address translation open and measure the round trip more often than
 * registrations may be sent. One that stays without answer is a loss, never left out (a dead path would keep its good figures).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { Malformed } from '../../base/malformed.ts';
import {
  decodeTunnelData,
  decodeTunnelledEcho,
  encodeTunnelledEcho,
} from '../../protocols/mobile-ip/tunnel-data.ts';
import type { TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';
import {
  maximumEchoesUnderWay,
  maximumEchoTimeoutMs,
  minimumEchoTimeoutMs,
  minimumKeepaliveMs,
} from './limits.ts';

/** What the echoes of one access have in common. */
export interface EchoFlow {
  readonly homeAddress: string;
  readonly agent: string;
  readonly identifier: number;
  readonly encapsulation: TunnelEncapsulation;
}

/** The UDP payload with the request. */
export function encodeEcho(
  { homeAddress: source, agent: destination, identifier, encapsulation }: EchoFlow,
  sequenceNumber: number,
): Uint8Array {
  return encodeTunnelledEcho(
    { isReply: false, source, destination, identifier, sequenceNumber },
    encapsulation,
  );
}

/** The sequence number of the request that a UDP payload answers; undefined when it is no such thing. */
export function answeredEcho(
  payload: Uint8Array,
  { homeAddress, agent, identifier, encapsulation }: EchoFlow,
): number | undefined {
  const packet = decodeTunnelData(payload, encapsulation);
  const echo = packet instanceof Malformed ? undefined : decodeTunnelledEcho(packet);
  const isAnswer =
    echo?.isReply === true &&
    echo.identifier === identifier &&
    echo.source === agent &&
    echo.destination === homeAddress;
  return isAnswer ? echo.sequenceNumber : undefined;
}

export interface LostEcho {
  readonly sentAt: Instant;
  readonly timeoutMs: DurationMs;
}

export class EchoProber {
  readonly #probeIntervalMs: DurationMs | undefined;
  /** By sequence number, oldest first. */
  readonly #underWay = new Map<number, LostEcho>();
  #keepaliveMs: DurationMs = 0;
  #sequence = 0;
  #rttMs: DurationMs | undefined;
  #nextAt: Instant = Number.POSITIVE_INFINITY;
  #lostInARow = 0;

  constructor(probeIntervalMs: DurationMs | undefined) {
    this.#probeIntervalMs = probeIntervalMs;
  }

  get lostInARow(): number {
    return this.#lostInARow;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** The binding is there, or there again; `keepaliveMs` as the agent has it. */
  start(keepaliveMs: DurationMs, now: Instant): void {
    if (this.#keepaliveMs === 0) this.#keepaliveMs = keepaliveMs;
    this.#lostInARow = 0;
    if (this.#nextAt === Number.POSITIVE_INFINITY) this.#nextAt = now + this.#intervalMs;
  }

  /** Another network, or none: what was learned of the path no longer holds (RFC 3519 §4.10). */
  stop(): void {
    this.#underWay.clear();
    this.#keepaliveMs = 0;
    this.#rttMs = undefined;
    this.#lostInARow = 0;
    this.#nextAt = Number.POSITIVE_INFINITY;
  }

  /** The sequence number of the echo to be sent now, if one is due. */
  takeDue(now: Instant): number | undefined {
    if (now < this.#nextAt) return undefined;
    this.#nextAt = now + this.#intervalMs;
    if (this.#underWay.size >= maximumEchoesUnderWay) return undefined;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const wanted = 3 * (this.#rttMs ?? 0);
    const timeoutMs = Math.min(Math.max(minimumEchoTimeoutMs, wanted), maximumEchoTimeoutMs);
    this.#underWay.set(this.#sequence, { sentAt: now, timeoutMs });
    return this.#sequence;
  }

  /** When the answered echo was sent. */
  answered(sequenceNumber: number, now: Instant): Instant | undefined {
    const echo = this.#underWay.get(sequenceNumber);
    if (echo === undefined) return undefined;
    this.#underWay.delete(sequenceNumber);
    this.#rttMs = now - echo.sentAt;
    this.#lostInARow = 0;
    return echo.sentAt;
  }

  takeLost(now: Instant): readonly LostEcho[] {
    const lost: LostEcho[] = [];
    for (const [sequence, echo] of this.#underWay) {
      if (echo.sentAt + echo.timeoutMs > now) continue;
      this.#underWay.delete(sequence);
      this.#lostInARow += 1;
      lost.push(echo);
    }
    return lost;
  }

  /** The mapping was lost in less than the keep-alive interval: a shorter one may keep it (RFC 3519 §4.10). */
  shortenKeepalive(): void {
    this.#keepaliveMs = Math.max(minimumKeepaliveMs, this.#keepaliveMs / 2);
    this.#lostInARow = 0;
  }

  get nextAt(): Instant {
    let at = this.#nextAt;
    for (const { sentAt, timeoutMs } of this.#underWay.values()) at = Math.min(at, sentAt + timeoutMs);
    return at;
  }

  /** While one is missing the next follows soon, as if it were a retransmission. */
  get #intervalMs(): DurationMs {
    const missing = this.#lostInARow > 0 ? minimumEchoTimeoutMs : Number.POSITIVE_INFINITY;
    return Math.min(this.#probeIntervalMs ?? Number.POSITIVE_INFINITY, this.#keepaliveMs, missing);
  }
}
