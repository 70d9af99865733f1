/**
 * The header of an AVP where it stands among octets (RFC 6733 §4.1): whoever looks through AVPs asks here for what he needs, and nothing is
 * copied out for it. `at` is where the AVP begins. Reserved flag bits are ignored.
 */
export const vendorFlag = 0x80;
export const mandatoryFlag = 0x40;

/** Whether the AVP has a header and ends before `to`; the other functions count on it. */
export function isWholeAt(octets: Uint8Array, at: number, to: number): boolean {
  return at + 8 <= to && dataAt(octets, at) <= endAt(octets, at) && endAt(octets, at) <= to;
}

export function codeAt(octets: Uint8Array, at: number): number {
  return uint32At(octets, at);
}

/** 0 without a Vendor-Id: the IETF's own number space. */
export function vendorAt(octets: Uint8Array, at: number): number {
  return octets[at + 4]! & vendorFlag ? uint32At(octets, at + 8) : 0;
}

export function isMandatoryAt(octets: Uint8Array, at: number): boolean {
  return (octets[at + 4]! & mandatoryFlag) !== 0;
}

/** Where its data begins, behind 8 octets of header or 12 with a Vendor-Id. */
export function dataAt(octets: Uint8Array, at: number): number {
  return at + (octets[at + 4]! & vendorFlag ? 12 : 8);
}

/** Where its data ends, before the padding. */
export function endAt(octets: Uint8Array, at: number): number {
  return at + uint24At(octets, at + 5);
}

/** Where the next one begins. */
export function nextAt(octets: Uint8Array, at: number): number {
  return at + ((uint24At(octets, at + 5) + 3) & ~3);
}

export function uint24At(octets: Uint8Array, at: number): number {
  return (octets[at]! << 16) | (octets[at + 1]! << 8) | octets[at + 2]!;
}

export function uint32At(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | uint24At(octets, at + 1)) >>> 0;
}
