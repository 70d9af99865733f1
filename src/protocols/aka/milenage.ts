/**
 * MILENAGE, the usual algorithm set of AKA (3GPP TS 35.206 §4): f1 to f5, f1* and f5*, all made of one AES operation, rotations and
 * constants. The operator's part comes in as OPc; `operatorVariant` derives that from OP.
 */
import { encryptAes128Block } from '../../base/block-cipher.ts';

/** What a USIM and the home network share; secret. 16 octets each. */
export interface SubscriberKey {
  readonly k: Uint8Array;
  readonly opc: Uint8Array;
}

export interface AuthenticationCodes {
  /** f1: what the network proves itself with, 8 octets. */
  readonly macA: Uint8Array;
  /** f1*: what a resynchronisation is proved with, 8 octets. */
  readonly macS: Uint8Array;
}

export interface SessionKeys {
  /** f2: the answer of the USIM, 8 octets. */
  readonly res: Uint8Array;
  /** f3 and f4: confidentiality and integrity key, 16 octets each. */
  readonly ck: Uint8Array;
  readonly ik: Uint8Array;
  /** f5: hides the sequence number, 6 octets. */
  readonly ak: Uint8Array;
}

/** Rotations in octets and last octets of the constants, r1…r5 and c1…c5 of TS 35.206 §4.1. */
const variants = [
  { rotation: 8, constant: 0 },
  { rotation: 0, constant: 1 },
  { rotation: 4, constant: 2 },
  { rotation: 8, constant: 4 },
  { rotation: 12, constant: 8 },
] as const;

/** OPc = OP xor E_K(OP), 16 octets. */
export function operatorVariant(k: Uint8Array, op: Uint8Array): Uint8Array {
  return xor(op, encryptAes128Block(k, op));
}

/** f1 and f1*. `rand` 16, `sequenceNumber` 6 and `managementField` (AMF) 2 octets. */
export function authenticationCodes(
  key: SubscriberKey,
  rand: Uint8Array,
  sequenceNumber: Uint8Array,
  managementField: Uint8Array,
): AuthenticationCodes {
  const half = Uint8Array.of(...sequenceNumber, ...managementField);
  const temp = encryptAes128Block(key.k, xor(rand, key.opc));
  const mixed = xor(temp, rotate(xor(Uint8Array.of(...half, ...half), key.opc), variants[0].rotation));
  const out = xor(encryptAes128Block(key.k, mixed), key.opc);
  return { macA: out.slice(0, 8), macS: out.slice(8) };
}

/** f2 to f5. */
export function sessionKeys(key: SubscriberKey, rand: Uint8Array): SessionKeys {
  const temp = encryptAes128Block(key.k, xor(rand, key.opc));
  const out2 = output(key, temp, 1);
  return { res: out2.slice(8), ck: output(key, temp, 2), ik: output(key, temp, 3), ak: out2.slice(0, 6) };
}

/** f5*: hides the sequence number in a resynchronisation, 6 octets. */
export function resynchronisationKey(key: SubscriberKey, rand: Uint8Array): Uint8Array {
  return output(key, encryptAes128Block(key.k, xor(rand, key.opc)), 4).slice(0, 6);
}

/** Octet by octet, over the length of `a`. */
export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, index) => octet ^ b[index]!);
}

function output({ k, opc }: SubscriberKey, temp: Uint8Array, variant: 1 | 2 | 3 | 4): Uint8Array {
  const { rotation, constant } = variants[variant];
  const mixed = rotate(xor(temp, opc), rotation);
  mixed[15]! ^= constant;
  return xor(encryptAes128Block(k, mixed), opc);
}

/** Towards the most significant octet. */
function rotate(block: Uint8Array, octets: number): Uint8Array {
  return Uint8Array.of(...block.subarray(octets), ...block.subarray(0, octets));
}
