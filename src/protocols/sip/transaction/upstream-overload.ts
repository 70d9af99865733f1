/**
 * How a server that has too much to do tells its clients so (RFC 7339 §5.1, §5.2, §5.10.2): by the percentage of requests that it wants
 * less of, in the Via of every response, and by 503 to the same percentage of new requests of clients that know nothing of it.
 * Load is the share of its table of transactions that is taken: they last 32 s, so a full table follows a rate that is too high.
 */
import type { Instant } from '../../../base/instant.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import { topViaOf, toTagOf } from '../message/header-fields.ts';
import { unquote } from '../message/parameters.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { formatVia } from '../message/via.ts';

/** Taken share of the table from which on less is wanted; nothing new at all when it is full. */
const wantedShare = 0.75;
/** Long enough for the next responses to renew it, short enough to end soon after the load has gone. */
const validityMs = 1_000;

export class UpstreamOverload {
  readonly #random: RandomSource;
  readonly #maximum: number;
  #loss = 0;
  /** Grows with every new value (§4.4): the second in which it was made, and which one of that second. */
  #second = 0;
  #count = 0;

  constructor(random: RandomSource, maximum: number) {
    this.#random = random;
    this.#maximum = maximum;
  }

  /**
   * Writes into the top Via of a request what its responses are to say, and decides whether it is taken at all. False: answer 503
   * without Retry-After.
   */
  admits(request: SipRequest, transactions: number, now: Instant): boolean {
    const taken = transactions / this.#maximum;
    const loss = Math.ceil(Math.max(0, (taken - wantedShare) / (1 - wantedShare)) * 100);
    if (loss !== this.#loss) this.#change(Math.min(loss, 100), now);
    if (this.#announce(request)) return true;
    return this.#loss === 0 || toTagOf(request) !== undefined || randomBelow(this.#random, 100) >= this.#loss;
  }

  #change(loss: number, now: Instant): void {
    const second = Math.floor(now / 1000);
    this.#count = second === this.#second ? this.#count + 1 : 0;
    this.#second = second;
    this.#loss = loss;
  }

  /** False when the client does not know overload control by loss. */
  #announce(request: SipRequest): boolean {
    const via = topViaOf(request);
    if (!via.parameters.has('oc')) return false;
    const algorithms = unquote(via.parameters.get('oc-algo') ?? '').split(',');
    if (!algorithms.some((name) => name.trim() === 'loss')) return false;
    const parameters = new Map(via.parameters);
    parameters.set('oc', String(this.#loss));
    parameters.set('oc-algo', '"loss"');
    parameters.set('oc-validity', String(this.#loss === 0 ? 0 : validityMs));
    parameters.set('oc-seq', `${this.#second}.${String(this.#count % 100_000).padStart(5, '0')}`);
    request.headers.removeFirst('Via');
    request.headers.prepend('Via', formatVia({ ...via, parameters }));
    return true;
  }
}
