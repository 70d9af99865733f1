/**
 * AVPs that are octets: those of a received message or group, where they stand in it, and those that somebody encoded once to send them
 * often. A value is decoded when it is asked for, and most are never asked for: of the forty AVPs of a NAT control answer its reader
 * looks at twenty, of Session-Id and the Origin AVPs at none.
 */
import type { AvpDefinition, AvpType, AvpValues } from './avp.ts';
import { isValue, readValue } from './avp-format.ts';
import { codeAt, dataAt, endAt, isWholeAt, nextAt, vendorAt } from './avp-header.ts';

export class EncodedAvps {
  readonly octets: Buffer;
  readonly from: number;
  readonly to: number;

  /** [from, to) must be whole AVPs. The view keeps all of `octets` in memory; values that are taken out of it do not. */
  constructor(octets: Buffer, from: number, to: number) {
    this.octets = octets;
    this.from = from;
    this.to = to;
  }

  has(definition: AvpDefinition): boolean {
    return this.#find(definition, this.from) < this.to;
  }

  /** The value of the first AVP of that definition that is one of its format; what cannot be read is not there. */
  value<Type extends AvpType>(definition: AvpDefinition<Type>): AvpValues[Type] | undefined {
    for (let at = this.#find(definition, this.from); at < this.to; at = this.#findNext(definition, at)) {
      const value = readAvp(definition, this.octets, at);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** The values of all AVPs of that definition, in order. */
  values<Type extends AvpType>(definition: AvpDefinition<Type>): AvpValues[Type][] {
    const values: AvpValues[Type][] = [];
    for (let at = this.#find(definition, this.from); at < this.to; at = this.#findNext(definition, at)) {
      const value = readAvp(definition, this.octets, at);
      if (value !== undefined) values.push(value);
    }
    return values;
  }

  /** Where the first AVP of that code and vendor begins, at `from` or behind it; not before `to` when there is none. */
  #find({ code, vendor = 0 }: AvpDefinition, from: number): number {
    const { octets, to } = this;
    let at = from;
    while (at < to && (codeAt(octets, at) !== code || vendorAt(octets, at) !== vendor))
      at = nextAt(octets, at);
    return at;
  }

  #findNext(definition: AvpDefinition, at: number): number {
    return this.#find(definition, nextAt(this.octets, at));
  }
}

/** Where the AVPs of [from, to) stop being whole; `to` when all of them are. */
export function endOfWhole(octets: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isWholeAt(octets, at, to)) at = nextAt(octets, at);
  return Math.min(at, to);
}

/** The value of the AVP at that place; undefined when its octets are none of that format. */
export function readAvp<Type extends AvpType>(
  { type }: AvpDefinition<Type>,
  octets: Buffer,
  at: number,
): AvpValues[Type] | undefined {
  const from = dataAt(octets, at);
  const to = endAt(octets, at);
  const value =
    type === 'Grouped'
      ? readGroup(octets, from, to)
      : isValue(type, octets, from, to)
        ? readValue(type, octets, from, to)
        : undefined;
  return value as AvpValues[Type] | undefined;
}

function readGroup(octets: Buffer, from: number, to: number): EncodedAvps | undefined {
  return endOfWhole(octets, from, to) < to ? undefined : new EncodedAvps(octets, from, to);
}
