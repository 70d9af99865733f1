/**
 * Finds the P-CSCF of an access that names it instead of giving its address (TS 24.229 §9.2.1; RFC 3263 §4), anew each time the access is
 * attached, as it may be another network's then. A name that leads nowhere is asked for again until the access is gone.
 */
import { DeadlineQueue } from '../base/deadline-queue.ts';
import { Fifo } from '../base/fifo.ts';
import type { DurationMs, Instant } from '../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../base/network.ts';
import type { RandomSource } from '../base/random-source.ts';
import { ServerLocator } from '../protocols/sip/location/server-locator.ts';
import type { SipUri } from '../protocols/sip/message/sip-uri.ts';

/** The node waits for its network, not the other way round: rarely enough for a resolver that is down. */
const retryMs: DurationMs = 10_000;

export interface DiscoveredProxy {
  /** Of the access. */
  readonly index: number;
  /** The best first. Empty: not found, and asked for again in a while. */
  readonly proxies: readonly TransportAddress[];
}

interface Search {
  readonly name: SipUri;
  /** The node's, over the access. */
  readonly address: string;
  /** Another access may have another DNS: nothing is remembered for the next search. */
  readonly locator: ServerLocator<number>;
}

export class ProxyDiscovery implements Machine<NetworkInput, NetworkOutput> {
  readonly #random: RandomSource;
  readonly #isSecured: boolean;
  readonly #searches = new Map<number, Search>();
  readonly #retries = new DeadlineQueue<number>();
  readonly #found = new Fifo<DiscoveredProxy>();

  /** `isSecured`: SIP goes by TLS. */
  constructor(random: RandomSource, isSecured: boolean) {
    this.#random = random;
    this.#isSecured = isSecured;
  }

  begin(index: number, name: SipUri, address: string, now: Instant): void {
    const locator = new ServerLocator<number>();
    this.#searches.set(index, { name, address, locator });
    const uri = this.#isSecured ? ({ ...name, scheme: 'sips' } as const) : name;
    locator.locate(
      index,
      uri,
      {
        // What is long goes by TCP to the same place (RFC 3261 §18.1.1).
        transports: this.#isSecured ? ['tls'] : ['udp'],
        families: address.includes(':') ? ['aaaa'] : ['a'],
        random: this.#random,
      },
      now,
    );
  }

  /** The access is gone. */
  abandon(index: number): void {
    this.#searches.delete(index);
    this.#retries.delete(index);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    for (const { locator } of this.#searches.values()) locator.handleInput(input, now);
    this.#takeLocated(now);
  }

  handleTimeout(now: Instant): void {
    for (const { locator } of this.#searches.values()) locator.handleTimeout(now);
    this.#takeLocated(now);
    for (let index = this.#retries.takeDue(now); index !== undefined; index = this.#retries.takeDue(now)) {
      const { name, address } = this.#searches.get(index)!;
      this.begin(index, name, address, now);
    }
  }

  pollTimeout(): Timeout | undefined {
    return [...this.#searches.values()]
      .map(({ locator }) => locator.pollTimeout())
      .reduce(earlierTimeout, this.#retries.peek());
  }

  pollOutput(): NetworkOutput | undefined {
    for (const { locator } of this.#searches.values()) {
      const output = locator.pollOutput();
      if (output !== undefined) return output;
    }
    return undefined;
  }

  pollFound(): DiscoveredProxy | undefined {
    return this.#found.shift();
  }

  #takeLocated(now: Instant): void {
    for (const [index, { locator }] of [...this.#searches]) {
      const located = locator.pollLocated();
      if (located === undefined) continue;
      const proxies = located.targets.map(({ address, port }) => ({ address, port }));
      if (proxies.length === 0) this.#retries.set(index, now + retryMs, 'P-CSCF was not found');
      else this.#searches.delete(index);
      this.#found.push({ index, proxies });
    }
  }
}
