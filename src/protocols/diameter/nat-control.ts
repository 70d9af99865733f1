/**
 * How TRIM uses Diameter NAT control (RFC 6736; TRIM footnote 4): the AVPs of NCR and NCA from and to media components.
 *
 *     correspondent c:q  ⇄  x:a [translator] y:b  ⇄  m:p mobile node
 *
 * RFC 6736 has one internal and one external address per binding; TRIM rewrites source and destination. So a component is two
 * NAT-Control-Definitions, the n-th IN with the n-th OUT of the Install:
 *   IN   internal m:p (the mobile node's access address)   external x:a (what the correspondent sends to)
 *   OUT  internal c:q (the correspondent)                  external y:b (what the mobile node sends to)
 * Absent NAT-External-Address: the translator chooses. Present: it names the definition. The unspecified address (0.0.0.0 or ::, without
 * Port): the translator chooses one of that version of IP; in an OUT beside an IN that names a component, one more y:b for it, which the
 * translator keeps as long as the component and uses while m is of that version. An empty NAT-Internal-Address: that end is
 * not known yet. No Port in a known NAT-Internal-Address: that end opens the TCP connection and its port is kept.
 * IPv6 addresses travel as Framed-IPv6-Prefix of length 128, in NAT-External-Address too, where RFC 6736 has only its "* [AVP]".
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import { type AvpDefinition, type Avps, avpValue, isEmpty } from './avp.ts';
import { closeAvp, openAvp, writeAvp } from './avp-writing.ts';
import { natControlAvps, natDirection } from './dictionary/nat-control.ts';
import type { OctetWriter } from './octet-writer.ts';

/** One end; without a port when that end opens the TCP connection. */
export interface NatEnd {
  readonly address: string;
  readonly port?: number;
}

/** Asks for an address of that version of IP. */
export function anyAddressOf(family: 4 | 6): NatEnd {
  return { address: family === 6 ? '::' : '0.0.0.0' };
}

export function isAnyAddress(end: NatEnd | undefined): end is NatEnd {
  return end?.address === '::' || end?.address === '0.0.0.0';
}

export interface NatCounters {
  readonly packets: number;
  readonly octets: number;
}

export interface NatDefinition {
  readonly direction: 'in' | 'out';
  readonly protocol: 'udp' | 'tcp';
  readonly internal?: NatEnd;
  readonly external?: NatEnd;
  /** What has passed in this direction; in the answer to a QUERY. */
  readonly counters?: NatCounters;
}

/** One transport of one media component: RTP and RTCP are two. */
export interface NatComponent {
  readonly protocol: 'udp' | 'tcp';
  /** m:p; absent as long as it is not known. */
  readonly mobileNode?: NatEnd | undefined;
  /** c:q; absent as long as it is not known. */
  readonly correspondent?: NatEnd | undefined;
  /** x:a, chosen by the translator. */
  readonly towardsCorrespondent?: NatEnd | undefined;
  /** y:b, chosen by the translator. */
  readonly towardsMobileNode?: NatEnd | undefined;
  /** Packets to the mobile node and from it. */
  readonly inCounters?: NatCounters;
  readonly outCounters?: NatCounters;
}

/** Optional members are set one by one: spreading objects that may be absent costs more than all else here. */
type Writable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

const protocolNumbers = { tcp: 6, udp: 17 } as const;

/** Pairs the n-th IN with the n-th OUT; undefined when their numbers or protocols differ. */
export function componentsOf(definitions: readonly NatDefinition[]): readonly NatComponent[] | undefined {
  const components: NatComponent[] = [];
  let next = 0;
  for (const one of definitions) {
    if (one.direction !== 'in') continue;
    while (definitions[next]?.direction === 'in') next++;
    const other = definitions[next++];
    if (other?.protocol !== one.protocol) return undefined;
    components.push(componentOf(one, other));
  }
  return 2 * components.length === definitions.length ? components : undefined;
}

function componentOf(one: NatDefinition, other: NatDefinition): NatComponent {
  const component: Writable<NatComponent> = { protocol: one.protocol };
  if (one.internal) component.mobileNode = one.internal;
  if (other.internal) component.correspondent = other.internal;
  if (one.external) component.towardsCorrespondent = one.external;
  if (other.external) component.towardsMobileNode = other.external;
  if (one.counters) component.inCounters = one.counters;
  if (other.counters) component.outCounters = other.counters;
  return component;
}

/** Both NAT-Control-Definitions of each. */
export function writeComponents(writer: OctetWriter, components: readonly NatComponent[]): void {
  for (const component of components) {
    const { protocol, mobileNode, correspondent, towardsCorrespondent, towardsMobileNode } = component;
    writeParts(writer, 'in', protocol, mobileNode, towardsCorrespondent, component.inCounters);
    writeParts(writer, 'out', protocol, correspondent, towardsMobileNode, component.outCounters);
  }
}

export function writeDefinition(
  writer: OctetWriter,
  { direction, protocol, internal, external, counters }: NatDefinition,
): void {
  writeParts(writer, direction, protocol, internal, external, counters);
}

function writeParts(
  writer: OctetWriter,
  direction: 'in' | 'out',
  protocol: 'udp' | 'tcp',
  internal: NatEnd | undefined,
  external: NatEnd | undefined,
  counters: NatCounters | undefined,
): void {
  const start = openAvp(writer, natControlAvps.definition);
  writeEnd(writer, natControlAvps.internalAddress, internal);
  writeAvp(writer, natControlAvps.protocol, protocolNumbers[protocol]);
  writeAvp(writer, natControlAvps.direction, natDirection[direction]);
  if (external !== undefined) writeEnd(writer, natControlAvps.externalAddress, external);
  if (counters !== undefined) {
    writeAvp(writer, natControlAvps.packets, BigInt(counters.packets));
    writeAvp(writer, natControlAvps.octets, BigInt(counters.octets));
  }
  closeAvp(writer, start);
}

export function decodeDefinition(avps: Avps): NatDefinition | Malformed {
  const number = avpValue(avps, natControlAvps.protocol);
  const protocol =
    number === protocolNumbers.udp ? 'udp' : number === protocolNumbers.tcp ? 'tcp' : undefined;
  if (protocol === undefined) return malformed('Protocol', '6 (TCP) or 17 (UDP)');
  const direction = decodeDirection(avpValue(avps, natControlAvps.direction));
  if (direction === undefined) return malformed('Direction', '0 (IN) or 1 (OUT)');
  const internal = decodeEnd(avpValue(avps, natControlAvps.internalAddress));
  if (internal instanceof Malformed) return internal;
  const external = decodeEnd(avpValue(avps, natControlAvps.externalAddress));
  if (external instanceof Malformed) return external;
  const packets = avpValue(avps, natControlAvps.packets);
  const octets = avpValue(avps, natControlAvps.octets);
  const hasCounters = packets !== undefined && octets !== undefined;
  const counters = hasCounters ? { packets: Number(packets), octets: Number(octets) } : undefined;
  return definition(direction, protocol, internal, external, counters);
}

export function sameEnd(a: NatEnd | undefined, b: NatEnd | undefined): boolean {
  return a?.address === b?.address && a?.port === b?.port;
}

function definition(
  direction: 'in' | 'out',
  protocol: 'udp' | 'tcp',
  internal: NatEnd | undefined,
  external: NatEnd | undefined,
  counters: NatCounters | undefined,
): NatDefinition {
  const one: Writable<NatDefinition> = { direction, protocol };
  if (internal) one.internal = internal;
  if (external) one.external = external;
  if (counters) one.counters = counters;
  return one;
}

/** An end that is not known is an empty group. */
function writeEnd(writer: OctetWriter, definition: AvpDefinition<'Grouped'>, end: NatEnd | undefined): void {
  const start = openAvp(writer, definition);
  if (end !== undefined) {
    writeIpAddress(writer, end.address);
    if (end.port !== undefined) writeAvp(writer, natControlAvps.port, end.port);
  }
  closeAvp(writer, start);
}

function writeIpAddress(writer: OctetWriter, address: string): void {
  const octets = address.includes(':') ? parseIpAddress(address) : undefined;
  if (octets === undefined) writeAvp(writer, natControlAvps.framedIpAddress, address);
  else writeAvp(writer, natControlAvps.framedIpv6Prefix, Uint8Array.of(0, 128, ...octets));
}

/** Undefined when the group is absent or empty. */
function decodeEnd(avps: Avps | undefined): NatEnd | Malformed | undefined {
  if (avps === undefined || isEmpty(avps)) return undefined;
  const address = decodeAddress(avps);
  if (address === undefined)
    return malformed('Framed-IP-Address', 'one IPv4 address or one IPv6 prefix of length 128');
  const port = avpValue(avps, natControlAvps.port);
  if (port === undefined) return { address };
  return port >= 1 && port <= 65535 ? { address, port } : malformed('Port', '1 … 65535');
}

function decodeAddress(avps: Avps): string | undefined {
  const v4 = avpValue(avps, natControlAvps.framedIpAddress);
  const v6 = avpValue(avps, natControlAvps.framedIpv6Prefix);
  if (v4 !== undefined) return v6 === undefined ? v4 : undefined;
  return v6?.length === 18 && v6[1] === 128 ? formatIpAddress(v6.subarray(2)) : undefined;
}

function decodeDirection(value: number | undefined): 'in' | 'out' | undefined {
  if (value === natDirection.in) return 'in';
  return value === natDirection.out ? 'out' : undefined;
}

function malformed(field: string, rule: string): Malformed {
  return new Malformed(field, 0, `RFC 6736 §8.7, TRIM profile: ${rule}`);
}
