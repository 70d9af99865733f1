/**
 * The P-CSCFs that one name stands for, in the order of RFC 3263 §4.2: when one does not answer, the next is tried (§4.3). After each round the
 * matter rests until the registration is tried again.
 */
import type { TransportAddress } from '../base/network.ts';

export class ProxyOrder {
  readonly #proxies: readonly [TransportAddress, ...TransportAddress[]];
  #failures = 0;
  #present = 0;

  constructor(proxies: readonly [TransportAddress, ...TransportAddress[]]) {
    this.#proxies = proxies;
  }

  get present(): TransportAddress {
    return this.#proxies[this.#present]!;
  }

  answered(): void {
    this.#failures = 0;
  }

  /** The present one does not answer. False: all have been tried. */
  failOver(): boolean {
    this.#failures += 1;
    if (this.#failures % this.#proxies.length === 0) return false;
    this.#present = (this.#present + 1) % this.#proxies.length;
    return true;
  }
}
