/**
 * The network's side of AKA (3GPP TS 33.102 §6.3): makes authentication vectors, and reads from the token of a failed synchronisation
 * (AUTS) the sequence number that the USIM holds. Sequence numbers are made as in TS 33.102 annex C.1.1.1 and C.3.2: 43 bits that
 * count, then 5 bits of index that go round, so that vectors may be used out of order.
 */
import { equalOctetsInConstantTime } from '../../base/digest.ts';
import {
  authenticationCodes,
  resynchronisationKey,
  type SubscriberKey,
  sessionKeys,
  xor,
} from './milenage.ts';

export interface AuthenticationVector {
  /** RAND, 16 octets. */
  readonly rand: Uint8Array;
  /** AUTN = (SQN xor AK) ‖ AMF ‖ MAC-A, 16 octets. */
  readonly autn: Uint8Array;
  /** XRES, 8 octets. */
  readonly expectedResponse: Uint8Array;
  readonly ck: Uint8Array;
  readonly ik: Uint8Array;
}

/** Bits of the index in a sequence number. */
export const indexSize = 32;
const sequenceNumberLimit = 2 ** 48;

/** TS 33.102 annex H: bit 0 of the AMF ("separation") is for EPS only; the others are the operator's. */
export const defaultManagementField: Uint8Array = Uint8Array.of(0x80, 0x00);

/** `sequenceNumber` is below 2^48; `rand` are 16 octets nobody can foresee. */
export function createAuthenticationVector(
  key: SubscriberKey,
  rand: Uint8Array,
  sequenceNumber: number,
  managementField: Uint8Array = defaultManagementField,
): AuthenticationVector {
  const { res, ck, ik, ak } = sessionKeys(key, rand);
  const sqn = sequenceNumberOctets(sequenceNumber);
  const { macA } = authenticationCodes(key, rand, sqn, managementField);
  return {
    rand,
    autn: Uint8Array.of(...xor(sqn, ak), ...managementField, ...macA),
    expectedResponse: res,
    ck,
    ik,
  };
}

/** The next one: the counter goes up by one and so does the index. It starts over after 2^43, which nobody lives to see. */
export function nextSequenceNumber(sequenceNumber: number): number {
  const count = Math.floor(sequenceNumber / indexSize) + 1;
  const index = ((sequenceNumber % indexSize) + 1) % indexSize;
  return (count * indexSize + index) % sequenceNumberLimit;
}

/** The sequence number that the USIM holds; undefined when the token was not made by it. `auts` are 14 octets. */
export function sequenceNumberOfAuts(
  key: SubscriberKey,
  rand: Uint8Array,
  auts: Uint8Array,
): number | undefined {
  if (rand.length !== 16 || auts.length !== 14) return undefined;
  const sqn = xor(auts.subarray(0, 6), resynchronisationKey(key, rand));
  const { macS } = authenticationCodes(key, rand, sqn, resynchronisationField);
  return equalOctetsInConstantTime(macS, auts.subarray(6)) ? sequenceNumberOf(sqn) : undefined;
}

/** TS 33.102 §6.3.3: the AMF counts as zero in a resynchronisation. */
export const resynchronisationField: Uint8Array = new Uint8Array(2);

export function sequenceNumberOctets(sequenceNumber: number): Uint8Array {
  const octets = new Uint8Array(6);
  const view = new DataView(octets.buffer);
  view.setUint16(0, Math.floor(sequenceNumber / 2 ** 32));
  view.setUint32(2, sequenceNumber % 2 ** 32);
  return octets;
}

export function sequenceNumberOf(octets: Uint8Array): number {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2);
}
