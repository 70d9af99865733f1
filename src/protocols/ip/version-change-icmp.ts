/**
 * ICMP errors in the other version (RFC 7915 §4.2, §4.3, §5.2, §5.3): type, code and the four octets that depend on them. The largest packet
 * that fits differs by the 20 octets by which the headers do. Building the message and the packet that it quotes is the caller's.
 */

export interface IcmpErrorHeader {
  readonly type: number;
  readonly code: number;
  /** The four octets behind the checksum. */
  readonly rest: number;
}

/** Undefined where RFC 7915 says to drop it silently. */
export function toIcmpv6Error({ type, code, rest }: IcmpErrorHeader): IcmpErrorHeader | undefined {
  if (type === TIME_EXCEEDED_4) return { type: 3, code, rest: 0 };
  if (type === PARAMETER_PROBLEM_4) {
    const pointer = code === 0 || code === 2 ? pointers6.get(rest >>> 24) : undefined;
    return pointer === undefined ? undefined : { type: 4, code: 0, rest: pointer };
  }
  if (type !== UNREACHABLE_4) return undefined;
  // Routers before RFC 1191 leave the size out: then the smallest, which IPv6 hosts know what to do with.
  if (code === 4) return { type: 2, code: 0, rest: Math.max(1280, (rest & 0xffff) + 20) };
  if (code === 2) return { type: 4, code: 1, rest: 6 };
  if (code === 3) return { type: 1, code: 4, rest: 0 };
  if (code === 9 || code === 10 || code === 13 || code === 15) return { type: 1, code: 1, rest: 0 };
  return code === 14 || code > 15 ? undefined : { type: 1, code: 0, rest: 0 };
}

/** Undefined where RFC 7915 says to drop it silently. */
export function toIcmpv4Error({ type, code, rest }: IcmpErrorHeader): IcmpErrorHeader | undefined {
  if (type === 1) {
    const codes = [1, 10, 1, 1, 3];
    const translated = codes[code];
    return translated === undefined ? undefined : { type: UNREACHABLE_4, code: translated, rest: 0 };
  }
  if (type === 2) return { type: UNREACHABLE_4, code: 4, rest: Math.min(0xffff, rest >>> 0) - 20 };
  if (type === 3) return { type: TIME_EXCEEDED_4, code, rest: 0 };
  if (type !== 4) return undefined;
  if (code === 1) return { type: UNREACHABLE_4, code: 2, rest: 0 };
  const pointer = code === 0 ? pointer4Of(rest >>> 0) : undefined;
  return pointer === undefined
    ? undefined
    : { type: PARAMETER_PROBLEM_4, code: 0, rest: (pointer << 24) >>> 0 };
}

const UNREACHABLE_4 = 3;
const TIME_EXCEEDED_4 = 11;
const PARAMETER_PROBLEM_4 = 12;

/** RFC 7915 figure 3: which octet of an IPv6 header says what that octet of an IPv4 header does. */
const pointers6: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1, 1],
  ...[2, 3].map((octet): [number, number] => [octet, 4]),
  [8, 7],
  [9, 6],
  ...[12, 13, 14, 15].map((octet): [number, number] => [octet, 8]),
  ...[16, 17, 18, 19].map((octet): [number, number] => [octet, 24]),
]);

/** RFC 7915 figure 6. */
function pointer4Of(pointer: number): number | undefined {
  if (pointer === 0 || pointer === 1) return pointer;
  if (pointer === 4 || pointer === 5) return 2;
  if (pointer === 6) return 9;
  if (pointer === 7) return 8;
  if (pointer >= 8 && pointer < 24) return 12;
  return pointer >= 24 && pointer < 40 ? 16 : undefined;
}
