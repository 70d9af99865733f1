/**
 * What a decoder returns instead of a value when the octets break the standard. Decoders never throw on input from the network;
 * the rule decides which error answer the standard asks for.
 */
export class Malformed {
  /** The header, attribute-value pair or field that is wrong, by its name in the standard. */
  readonly field: string;
  /** Where it starts, in octets from the beginning of the message. */
  readonly offset: number;
  /** The rule that was broken, such as "RFC 3261 §20.14", with what would be right. */
  readonly rule: string;

  constructor(field: string, offset: number, rule: string) {
    this.field = field;
    this.offset = offset;
    this.rule = rule;
  }

  toString(): string {
    return `malformed ${this.field} at octet ${this.offset}: ${this.rule}`;
  }
}

export function isMalformed(value: unknown): value is Malformed {
  return value instanceof Malformed;
}
