/**
 * Attribute-value pairs of Diameter (RFC 6733 §4): what a dictionary says about one, and one that is to be sent.
 * A definition is plain data; its `type` (RFC 6733 §4.2, §4.3) decides the TypeScript type of the value. The octets are in avp-format.ts
 * and avp-header.ts.
 */
import { EncodedAvps } from './encoded-avps.ts';

/** The TypeScript value of each AVP data format. */
export interface AvpValues {
  OctetString: Uint8Array;
  UTF8String: string;
  DiameterIdentity: string;
  DiameterURI: string;
  Integer32: number;
  Unsigned32: number;
  Enumerated: number;
  /** Seconds since 1 January 1900 (NTP), as on the wire. */
  Time: number;
  Unsigned64: bigint;
  /** An IP address as text (RFC 6733 §4.3.1, address families 1 and 2). */
  Address: string;
  /** An OctetString that holds an IPv4 address (RFC 7155 §4.4.10.5.1), as text. */
  Ipv4Address: string;
  Grouped: Avps;
}

export type AvpType = keyof AvpValues;

export interface AvpDefinition<Type extends AvpType = AvpType> {
  readonly code: number;
  /** Enterprise number; absent means the IETF's own number space. */
  readonly vendor?: number;
  readonly name: string;
  readonly type: Type;
  /** The sender leaves the M bit clear: a receiver that does not know the AVP skips it. */
  readonly optional?: boolean;
}

export interface Avp {
  readonly definition: AvpDefinition;
  /** The M bit. */
  readonly mandatory: boolean;
  readonly value: AvpValues[AvpType];
}

/** What a message or a group holds: AVPs to be sent, or octets that hold some. */
export type Avps = readonly Avp[] | EncodedAvps;

/** Builds an AVP with the flags that its definition asks for. */
export function avp<Type extends AvpType>(definition: AvpDefinition<Type>, value: AvpValues[Type]): Avp {
  return { definition, mandatory: definition.optional !== true, value };
}

/** The AVP when there is a value, nothing otherwise: for spreading into a list. */
export function optionalAvp<Type extends AvpType>(
  definition: AvpDefinition<Type>,
  value: AvpValues[Type] | undefined,
): readonly Avp[] {
  return value === undefined ? [] : [avp(definition, value)];
}

export function isEmpty(avps: Avps): boolean {
  return avps instanceof EncodedAvps ? avps.from === avps.to : avps.length === 0;
}

export function hasAvp(avps: Avps, definition: AvpDefinition): boolean {
  return avps instanceof EncodedAvps
    ? avps.has(definition)
    : avps.some((candidate) => sameDefinition(candidate.definition, definition));
}

/** The value of the first AVP of that definition. */
export function avpValue<Type extends AvpType>(
  avps: Avps,
  definition: AvpDefinition<Type>,
): AvpValues[Type] | undefined {
  if (avps instanceof EncodedAvps) return avps.value(definition);
  for (const candidate of avps)
    if (sameDefinition(candidate.definition, definition)) return candidate.value as AvpValues[Type];
  return undefined;
}

/** The values of all AVPs of that definition, in order. */
export function avpValues<Type extends AvpType>(
  avps: Avps,
  definition: AvpDefinition<Type>,
): readonly AvpValues[Type][] {
  if (avps instanceof EncodedAvps) return avps.values(definition);
  return avps
    .filter((candidate) => sameDefinition(candidate.definition, definition))
    .map((found) => found.value as AvpValues[Type]);
}

/** AVPs are the same by vendor and code: vendors reuse one another's numbers (621 of RFC 7683 and of Cx). */
export function sameDefinition(a: AvpDefinition, b: AvpDefinition): boolean {
  return a.code === b.code && (a.vendor ?? 0) === (b.vendor ?? 0);
}
