/**
 * The USIM in software: the user's side of AKA (3GPP TS 33.102 §6.3.3). It believes a challenge whose MAC is right and whose sequence
 * number is fresh (annex C.2: one highest counter per index, not too far ahead), and answers a stale one with the token (AUTS) that
 * tells the network where to go on. The counters live as long as the program: a card would keep them.
 */
import { equalOctetsInConstantTime } from '../../base/digest.ts';
import {
  indexSize,
  resynchronisationField,
  sequenceNumberOctets,
  sequenceNumberOf,
} from './authentication-vector.ts';
import {
  authenticationCodes,
  resynchronisationKey,
  type SubscriberKey,
  sessionKeys,
  xor,
} from './milenage.ts';

export type UsimAnswer =
  | {
      readonly kind: 'authenticated';
      readonly res: Uint8Array;
      readonly ck: Uint8Array;
      readonly ik: Uint8Array;
    }
  /** The challenge is genuine but old: `auts`, 14 octets, goes back to the network. */
  | { readonly kind: 'synchronisation-failed'; readonly auts: Uint8Array }
  /** Not from this USIM's home network. */
  | { readonly kind: 'network-refused' };

/** TS 33.102 §C.3.2: how far the counter may jump ahead at once. */
const maximumJump = 2 ** 28;

export class Usim {
  readonly #key: SubscriberKey;
  /** The highest counter that was accepted, per index. */
  readonly #counters = new Array<number>(indexSize).fill(0);
  #highest: number;

  /** `sequenceNumber`: the highest that was accepted before. */
  constructor(key: SubscriberKey, sequenceNumber = 0) {
    this.#key = key;
    this.#highest = sequenceNumber;
    this.#counters.fill(Math.floor(sequenceNumber / indexSize));
  }

  /** `rand` and `autn` are 16 octets each. */
  authenticate(rand: Uint8Array, autn: Uint8Array): UsimAnswer {
    if (rand.length !== 16 || autn.length !== 16) return { kind: 'network-refused' };
    const { res, ck, ik, ak } = sessionKeys(this.#key, rand);
    const sqn = xor(autn.subarray(0, 6), ak);
    const { macA } = authenticationCodes(this.#key, rand, sqn, autn.subarray(6, 8));
    if (!equalOctetsInConstantTime(macA, autn.subarray(8))) return { kind: 'network-refused' };
    return this.#accept(sequenceNumberOf(sqn))
      ? { kind: 'authenticated', res, ck, ik }
      : { kind: 'synchronisation-failed', auts: this.#resynchronisationToken(rand) };
  }

  #accept(sequenceNumber: number): boolean {
    const counter = Math.floor(sequenceNumber / indexSize);
    const index = sequenceNumber % indexSize;
    const highestCounter = Math.floor(this.#highest / indexSize);
    if (counter <= this.#counters[index]! || counter - highestCounter > maximumJump) return false;
    this.#counters[index] = counter;
    this.#highest = Math.max(this.#highest, sequenceNumber);
    return true;
  }

  /** AUTS = (SQN_MS xor AK*) ‖ MAC-S. */
  #resynchronisationToken(rand: Uint8Array): Uint8Array {
    const sqn = sequenceNumberOctets(this.#highest);
    const { macS } = authenticationCodes(this.#key, rand, sqn, resynchronisationField);
    return Uint8Array.of(...xor(sqn, resynchronisationKey(this.#key, rand)), ...macS);
  }
}
