/**
 * Whether octets are AVPs, and what to answer when they are not (RFC 6733 §4.1, §7.1.5). What is wrong comes out as `MalformedAvp` with the
 * Result-Code and the Failed-AVP of the answer. Of requests every value is checked; of answers and Failed-AVP, which nobody answers,
 * only whether the AVPs can be found: what cannot be read in them is not there for its readers (encoded-avps.ts).
 */
import { Malformed } from '../../base/malformed.ts';
import { type Avp, type AvpDefinition, sameDefinition } from './avp.ts';
import { isLengthOf, isValue, leastOctetsOf } from './avp-format.ts';
import { codeAt, dataAt, endAt, isMandatoryAt, isWholeAt, nextAt, vendorAt } from './avp-header.ts';
import { baseAvps } from './dictionary/base.ts';
import type { Dictionary } from './dictionary/dictionary.ts';
import { endOfWhole } from './encoded-avps.ts';
import { maximumGroupDepth } from './limits.ts';
import { resultCode } from './result-code.ts';

export class MalformedAvp extends Malformed {
  /** The Result-Code of the answer. */
  readonly resultCode: number;
  /** What goes into Failed-AVP. */
  readonly failedAvp: Avp;

  constructor(rule: string, offset: number, code: number, failedAvp: Avp) {
    super(failedAvp.definition.name, offset, rule);
    this.resultCode = code;
    this.failedAvp = failedAvp;
  }
}

/** The first thing that is wrong with the AVPs of a request in [from, to) (RFC 6733 §7.1.5: report only the first). */
export function checkAvps(
  octets: Buffer,
  from: number,
  to: number,
  dictionary: Dictionary,
  depth = 0,
): MalformedAvp | undefined {
  let malformed: MalformedAvp | undefined;
  for (let at = from; at < to; at = nextAt(octets, at)) {
    if (!isWholeAt(octets, at, to)) return malformed ?? badLength(octets, at, to, dictionary);
    malformed ??= checkAvp(octets, at, dictionary, depth);
  }
  return malformed;
}

/** That the AVPs in [from, to) can be found, whatever they hold. */
export function checkLengths(
  octets: Buffer,
  from: number,
  to: number,
  dictionary: Dictionary,
): MalformedAvp | undefined {
  const end = endOfWhole(octets, from, to);
  return end < to ? badLength(octets, end, to, dictionary) : undefined;
}

/** A made-up AVP for "this one is missing": code, vendor and the least payload, all zero (RFC 6733 §7.5). */
export function missingAvp(definition: AvpDefinition): Avp {
  return {
    definition: { ...definition, type: 'OctetString' },
    mandatory: true,
    value: new Uint8Array(leastOctetsOf(definition.type)),
  };
}

function checkAvp(
  octets: Buffer,
  at: number,
  dictionary: Dictionary,
  depth: number,
): MalformedAvp | undefined {
  const definition = dictionary.avp(vendorAt(octets, at), codeAt(octets, at));
  if (definition === undefined) {
    if (!isMandatoryAt(octets, at)) return undefined;
    const rule = 'RFC 6733 §4.1: unknown AVP with the M bit';
    return malformedAt(octets, at, rule, resultCode.avpUnsupported);
  }
  const { type } = definition;
  if (type === 'Grouped') return checkGroup(definition, octets, at, dictionary, depth);
  const from = dataAt(octets, at);
  const to = endAt(octets, at);
  if (isValue(type, octets, from, to)) return undefined;
  const code = isLengthOf(type, to - from) ? resultCode.invalidAvpValue : resultCode.invalidAvpLength;
  return malformedAt(octets, at, `RFC 6733 §4.2: not a value of format ${type}`, code);
}

function checkGroup(
  definition: AvpDefinition,
  octets: Buffer,
  at: number,
  dictionary: Dictionary,
  depth: number,
): MalformedAvp | undefined {
  if (depth + 1 >= maximumGroupDepth) {
    const rule = `nested deeper than ${maximumGroupDepth} groups`;
    return malformedAt(octets, at, rule, resultCode.invalidAvpValue);
  }
  const mandatory = isMandatoryAt(octets, at);
  // Failed-AVP holds what somebody could not decode. An unknown AVP inside a group without the M bit is harmless (RFC 6733 §4.4).
  const isLenient = !mandatory || sameDefinition(definition, baseAvps.failedAvp);
  const from = dataAt(octets, at);
  const to = endAt(octets, at);
  const inner = isLenient
    ? checkLengths(octets, from, to, dictionary)
    : checkAvps(octets, from, to, dictionary, depth + 1);
  if (inner === undefined) return undefined;
  const { rule, offset, resultCode: code, failedAvp } = inner;
  return new MalformedAvp(rule, offset, code, { definition, mandatory, value: [failedAvp] });
}

/** With the AVP as it came. */
function malformedAt(octets: Buffer, at: number, rule: string, code: number): MalformedAvp {
  const mandatory = isMandatoryAt(octets, at);
  const definition = unknownDefinition(codeAt(octets, at), vendorAt(octets, at), mandatory);
  const value = new Uint8Array(octets.subarray(dataAt(octets, at), endAt(octets, at)));
  return new MalformedAvp(rule, dataAt(octets, at), code, { definition, mandatory, value });
}

/** With the header of the AVP as far as it can be read, and the least payload in zeros (RFC 6733 §7.5). */
function badLength(octets: Buffer, at: number, to: number, dictionary: Dictionary): MalformedAvp {
  const header = new Uint8Array(12);
  header.set(octets.subarray(at, Math.min(at + 12, to)));
  const [code, vendor, mandatory] = [codeAt(header, 0), vendorAt(header, 0), isMandatoryAt(header, 0)];
  const known = dictionary.avp(vendor, code);
  const failed: Avp = {
    definition: unknownDefinition(code, vendor, mandatory),
    mandatory,
    value: new Uint8Array(known === undefined ? 0 : leastOctetsOf(known.type)),
  };
  const rule = 'RFC 6733 §4.1: AVP Length leaves the message';
  return new MalformedAvp(rule, at, resultCode.invalidAvpLength, failed);
}

function unknownDefinition(code: number, vendor: number, mandatory: boolean): AvpDefinition {
  const name = vendor === 0 ? `AVP ${code}` : `AVP ${code} of vendor ${vendor}`;
  return { code, vendor, name, type: 'OctetString', optional: !mandatory };
}
