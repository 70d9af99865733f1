/**
 * How much a client may send to each server that it sends to: overload control by loss (RFC 7339 §5.4, §5.5, §7.2), and Retry-After of a
 * 503 (RFC 3261 §21.5.4). What is held back was never sent; to the transaction user it has failed as if the server had said 503.
 */
import type { Instant } from '../../../base/instant.ts';
import { formatTransportAddress, type TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import { topViaOf, toTagOf } from '../message/header-fields.ts';
import { unquote } from '../message/parameters.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { maximumRestrainedServers, maximumRetryAfterMs } from './limits.ts';

interface Restraint {
  /** Percentage of all requests that the server wants less of. */
  readonly loss: number;
  readonly until: Instant;
  readonly sequence: number;
}

/** RFC 7339 §4.3. */
const defaultValidityMs = 500;
/** A sequence number this much lower comes from a server that has begun anew (§4.4); in its own unit, seconds where it is a time. */
const restartGap = 60;

export class DownstreamOverload {
  readonly #random: RandomSource;
  /** By server; the oldest first. */
  readonly #restraints = new Map<string, Restraint>();
  /** Until when servers want nothing new. */
  readonly #closed = new Map<string, Instant>();
  /** Share of the requests that may be held back, followed over the last hundred or so; the RFC begins with 80 %. */
  #reducibleShare = 0.8;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** Whether the request may go to this server now. Requests inside dialogs and emergency calls are the last to be held back (§5.10.1). */
  admits(request: SipRequest, server: TransportAddress, now: Instant): boolean {
    const isReducible = toTagOf(request) === undefined && !request.requestUri.startsWith('urn:service:sos');
    this.#reducibleShare += ((isReducible ? 1 : 0) - this.#reducibleShare) / 100;
    if (this.#closed.size === 0 && this.#restraints.size === 0) return true;
    const key = formatTransportAddress(server);
    if (isReducible && (this.#closed.get(key) ?? now) > now) return false;
    const restraint = this.#restraints.get(key);
    if (restraint === undefined || restraint.until <= now) return true;
    return randomBelow(this.#random, 10_000) >= this.#lossOf(restraint.loss / 100, isReducible) * 10_000;
  }

  noteResponse(response: SipResponse, server: TransportAddress, now: Instant): void {
    if (response.statusCode === 503) this.#noteRetryAfter(response, formatTransportAddress(server), now);
    if (response.headers.get('Via')?.includes(';oc=') !== true) return;
    const { parameters } = topViaOf(response);
    const loss = Number.parseInt(parameters.get('oc') ?? '', 10);
    const algorithm = unquote(parameters.get('oc-algo') ?? 'loss');
    if (Number.isNaN(loss) || algorithm !== 'loss') return;
    const sequence = Number(parameters.get('oc-seq') ?? Number.NaN);
    const key = formatTransportAddress(server);
    const known = this.#restraints.get(key);
    if (known !== undefined && sequence <= known.sequence && known.sequence - sequence < restartGap) return;
    const validityMs = Number.parseInt(parameters.get('oc-validity') ?? '', 10);
    const until =
      now + Math.min(Number.isNaN(validityMs) ? defaultValidityMs : validityMs, maximumRetryAfterMs);
    remember(this.#restraints, key, { loss: Math.min(loss, 100), until, sequence });
  }

  /** Of the requests that may be held back all, if need be, before any of the others (§7.2). */
  #lossOf(loss: number, isReducible: boolean): number {
    const share = this.#reducibleShare;
    if (isReducible) return Math.min(1, loss / share);
    return Math.max(0, (loss - share) / (1 - share));
  }

  #noteRetryAfter({ headers }: SipResponse, key: string, now: Instant): void {
    const [, digits] = /^\s*(\d{1,9})/.exec(headers.get('Retry-After') ?? '') ?? [];
    if (digits === undefined) return;
    remember(this.#closed, key, now + Math.min(Number(digits) * 1000, maximumRetryAfterMs));
  }
}

function remember<Value>(table: Map<string, Value>, key: string, value: Value): void {
  table.delete(key);
  table.set(key, value);
  const [oldest] = table.keys();
  if (oldest !== undefined && table.size > maximumRestrainedServers) table.delete(oldest);
}
