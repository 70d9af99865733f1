/** The Internet checksum (RFC 1071) and its update when some of what it covers changes (RFC 1624, equation 3). */

/** Ones' complement sum of 16-bit words, to begin with or to add to `sum`; an odd octet at the end counts as the upper half. */
export function onesComplementSum(octets: Uint8Array, sum = 0): number {
  let total = sum;
  for (let i = 0; i + 1 < octets.length; i += 2) total += ((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0);
  if (octets.length % 2 === 1) total += (octets[octets.length - 1] ?? 0) << 8;
  return fold(total);
}

/**
 * The same sum for the data path of the tunnel, which reads every octet of a gigabit stream: 32 bits at a time, from any offset. Like
 * any ones' complement sum it may be taken in the other byte order and turned round at the end (RFC 1071 §2).
 */
export function onesComplementSumAt(view: DataView, at: number, length: number): number {
  const end = at + length;
  let [sum, other, i] = [0, 0, at];
  for (; i + 16 <= end; i += 16) {
    sum += view.getUint32(i, true) + view.getUint32(i + 4, true);
    other += view.getUint32(i + 8, true) + view.getUint32(i + 12, true);
  }
  for (; i + 2 <= end; i += 2) sum += view.getUint16(i, true);
  if (i < end) sum += view.getUint8(i);
  const folded = fold(sum + other);
  return ((folded & 255) << 8) | (folded >> 8);
}

/** The checksum field's value for a sum. */
export function checksumOf(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** The checksum after `before` became `after` somewhere in what it covers: HC' = ~(~HC + ~m + m'). Lengths are even and equal. */
export function updatedChecksum(checksum: number, before: Uint8Array, after: Uint8Array): number {
  const without = fold((~checksum & 0xffff) + (~onesComplementSum(before) & 0xffff));
  return checksumOf(without + onesComplementSum(after));
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}
