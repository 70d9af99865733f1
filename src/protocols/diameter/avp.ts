/**
 * Attribute-value pairs of Diameter (RFC 6733 §4): what a dictionary says about one, and a decoded one.
 * A definition is plain data; its `type` (RFC 6733 §4.2, §4.3) decides the TypeScript type of the value. The octets are in avp-codec.ts.
 */

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
  Grouped: readonly Avp[];
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
  /** The M bit as sent or received. */
  readonly mandatory: boolean;
  readonly value: AvpValues[AvpType];
}

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

/** The value of the first AVP of that definition. */
export function avpValue<Type extends AvpType>(
  avps: readonly Avp[],
  definition: AvpDefinition<Type>,
): AvpValues[Type] | undefined {
  for (const candidate of avps) if (isOf(candidate, definition)) return candidate.value as AvpValues[Type];
  return undefined;
}

/** The values of all AVPs of that definition, in order. */
export function avpValues<Type extends AvpType>(
  avps: readonly Avp[],
  definition: AvpDefinition<Type>,
): AvpValues[Type][] {
  return avps
    .filter((candidate) => isOf(candidate, definition))
    .map((found) => found.value as AvpValues[Type]);
}

/**
 * What could not be read is kept as octets in answers (avp-codec.ts), under its own code: it is not of the definition, whose readers
 * count on a value of its type.
 */
export function isOf(candidate: Avp, definition: AvpDefinition): boolean {
  return candidate.definition.type === definition.type && sameDefinition(candidate.definition, definition);
}

/** AVPs are the same by vendor and code: vendors reuse one another's numbers (621 of RFC 7683 and of Cx). */
export function sameDefinition(a: AvpDefinition, b: AvpDefinition): boolean {
  return a.code === b.code && (a.vendor ?? 0) === (b.vendor ?? 0);
}
