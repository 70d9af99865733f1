/**
 * IPv4 binary traffic selectors (RFC 6088 §3.1), by which flow bindings (RFC 7629 §4.2) name packets. "Source" is always the
 * correspondent, as the home agent sees the packet on its way to the mobile node. Leaves out the IPv6 format.
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import type { PortRange, TunnelSelector } from './tunnel-state.ts';

/** Inclusive; `last` absent means the one value. */
export interface Range<Value> {
  readonly first: Value;
  readonly last?: Value;
}

/** Absent means any. Without any field it selects every packet. */
export interface TrafficSelector {
  readonly sourceAddress?: Range<string>;
  readonly destinationAddress?: Range<string>;
  /** The SPI of IPsec. */
  readonly securityParametersIndex?: Range<number>;
  readonly sourcePort?: Range<number>;
  readonly destinationPort?: Range<number>;
  /** 8 bits of which the lower two (ECN) never count. */
  readonly differentiatedServices?: Range<number>;
  readonly protocol?: Range<number>;
}

type Field = keyof TrafficSelector;

/** In the order of the flags A … N, two flags each. */
const fields: readonly (readonly [Field, number])[] = [
  ['sourceAddress', 4],
  ['destinationAddress', 4],
  ['securityParametersIndex', 4],
  ['sourcePort', 2],
  ['destinationPort', 2],
  ['differentiatedServices', 1],
  ['protocol', 1],
];

/** The value after TS Format: a reserved octet, the flags, the flagged fields. */
export function encodeTrafficSelector(selector: TrafficSelector): Uint8Array {
  const octets = [0, 0, 0, 0, 0];
  fields.forEach(([field, width], index) => {
    const range = selector[field];
    if (range === undefined) return;
    setFlag(octets, 2 * index);
    octets.push(...encodeValue(range.first, width));
    if (range.last === undefined) return;
    setFlag(octets, 2 * index + 1);
    octets.push(...encodeValue(range.last, width));
  });
  return Uint8Array.from(octets);
}

/** `offset`: where the octets stand in the message, for the report. */
export function decodeTrafficSelector(octets: Uint8Array, offset: number): TrafficSelector | Malformed {
  const malformed = (rule: string): Malformed =>
    new Malformed('Traffic Selector', offset, `RFC 6088 §3.1: ${rule}`);
  if (octets.length < 5) return malformed('a reserved octet and 32 bits of flags');
  const selector: Partial<Record<Field, Range<string | number>>> = {};
  let at = 5;
  for (const [index, [field, width]] of fields.entries()) {
    const [hasFirst, hasLast] = [isSet(octets, 2 * index), isSet(octets, 2 * index + 1)];
    if (hasLast && !hasFirst) return malformed('no end of a range without its start');
    const next = at + width * (Number(hasFirst) + Number(hasLast));
    if (next > octets.length) return malformed('every flagged field is there');
    if (hasFirst) {
      const first = decodeValue(field, octets.subarray(at, at + width));
      selector[field] = hasLast
        ? { first, last: decodeValue(field, octets.subarray(at + width, next)) }
        : { first };
    }
    at = next;
  }
  if (at !== octets.length) return malformed('nothing behind the flagged fields');
  return selector as TrafficSelector;
}

/** What the tunnel selects by; undefined when the data path cannot select so (DS field, ranges of addresses or protocols). */
export function toTunnelSelector(selector: TrafficSelector, homeAddress: string): TunnelSelector | undefined {
  const { sourceAddress, destinationAddress, sourcePort, destinationPort, protocol, ...others } = selector;
  if (Object.keys(others).length > 0 || ![protocol, sourceAddress, destinationAddress].every(isOne))
    return undefined;
  if (destinationAddress !== undefined && destinationAddress.first !== homeAddress) return undefined;
  return {
    ...(protocol && { protocol: protocol.first }),
    ...(destinationPort && { homePorts: toPorts(destinationPort) }),
    ...(sourcePort && { correspondentPorts: toPorts(sourcePort) }),
    ...(sourceAddress && { correspondentAddress: sourceAddress.first }),
  };
}

export function toTrafficSelector({
  protocol,
  homePorts,
  correspondentPorts,
  correspondentAddress,
}: TunnelSelector): TrafficSelector {
  return {
    ...(correspondentAddress !== undefined && { sourceAddress: { first: correspondentAddress } }),
    ...(correspondentPorts && { sourcePort: { first: correspondentPorts[0], last: correspondentPorts[1] } }),
    ...(homePorts && { destinationPort: { first: homePorts[0], last: homePorts[1] } }),
    ...(protocol !== undefined && { protocol: { first: protocol } }),
  };
}

function isOne(range: Range<unknown> | undefined): boolean {
  return range?.last === undefined || range.last === range.first;
}

function toPorts({ first, last = first }: Range<number>): PortRange {
  return [first, last];
}

function encodeValue(value: string | number, width: number): number[] {
  if (typeof value === 'string') return [...(parseIpAddress(value) ?? [])];
  return Array.from({ length: width }, (_, index) => (value >>> (8 * (width - 1 - index))) & 255);
}

function decodeValue(field: Field, octets: Uint8Array): string | number {
  if (field.endsWith('Address')) return formatIpAddress(octets);
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

/** Flag 0 is A, the most significant bit behind the reserved octet. */
function setFlag(octets: number[], flag: number): void {
  octets[1 + (flag >> 3)] = (octets[1 + (flag >> 3)] ?? 0) | (0x80 >> (flag & 7));
}

function isSet(octets: Uint8Array, flag: number): boolean {
  return ((octets[1 + (flag >> 3)] ?? 0) & (0x80 >> (flag & 7))) !== 0;
}
