/**
 * AVPs between values and octets (RFC 6733 §4.1–§4.4). Decoding is done once, at the edge, with a dictionary: what comes out holds
 * only values of the right format; what is wrong comes out as `MalformedAvp` with the Result-Code and the Failed-AVP of the answer.
 * Reserved flag bits are ignored; the P bit (end-to-end security that was never specified) is sent clear.
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import { type Avp, type AvpDefinition, type AvpType, type AvpValues, sameDefinition } from './avp.ts';
import { baseAvps } from './dictionary/base.ts';
import type { Dictionary } from './dictionary/dictionary.ts';
import { maximumGroupDepth } from './limits.ts';
import { resultCode } from './result-code.ts';

const vendorFlag = 0x80;
const mandatoryFlag = 0x40;

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

export interface DecodedAvps {
  /** The AVPs that are right; all of them unless `malformed` is set. */
  readonly avps: readonly Avp[];
  /** The first thing that is wrong (RFC 6733 §7.1.5: report only the first). */
  readonly malformed?: MalformedAvp;
}

export interface AvpDecoding {
  readonly dictionary: Dictionary;
  /** Whether an unknown AVP with the M bit is an error (requests), or is kept as octets (answers, Failed-AVP). */
  readonly strict: boolean;
}

/** Decodes `octets` as a list of AVPs; `base` is where they stand in the message, for what `Malformed` says. */
export function decodeAvps(octets: Uint8Array, decoding: AvpDecoding, base = 0, depth = 0): DecodedAvps {
  const avps: Avp[] = [];
  let malformed: MalformedAvp | undefined;
  let offset = 0;
  while (offset < octets.length) {
    const header = readHeader(octets, offset, decoding.dictionary);
    if (header === undefined)
      return { avps, malformed: malformed ?? badLength(octets, offset, base, decoding.dictionary) };
    const data = octets.subarray(offset + header.octets, offset + header.length);
    const decoded = decodeAvp(header, data, decoding, base + offset + header.octets, depth);
    if (decoded instanceof Malformed) malformed ??= decoded;
    else avps.push(decoded);
    offset += padded(header.length);
  }
  return malformed === undefined ? { avps } : { avps, malformed };
}

export function encodeAvps(avps: readonly Avp[]): Uint8Array {
  return concatenate(avps.map(encodeAvp));
}

/** A made-up AVP for "this one is missing": code, vendor and the least payload, all zero (RFC 6733 §7.5). */
export function missingAvp(definition: AvpDefinition): Avp {
  const least = formats[definition.type].least;
  return { definition: asOctets(definition), mandatory: true, value: new Uint8Array(least) };
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

interface AvpHeader {
  readonly definition: AvpDefinition | undefined;
  readonly code: number;
  readonly vendor: number;
  readonly mandatory: boolean;
  /** Octets of the header: 8, or 12 with a Vendor-Id. */
  readonly octets: number;
  /** AVP Length: header and data without padding. */
  readonly length: number;
}

/** Undefined when the length is wrong: then nothing behind it can be found either. */
function readHeader(octets: Uint8Array, offset: number, dictionary: Dictionary): AvpHeader | undefined {
  if (offset + 8 > octets.length) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset + offset, octets.length - offset);
  const flags = view.getUint8(4);
  const length = view.getUint32(4) & 0xff_ffff;
  const headerOctets = flags & vendorFlag ? 12 : 8;
  if (length < headerOctets || length > view.byteLength) return undefined;
  const code = view.getUint32(0);
  const vendor = flags & vendorFlag ? view.getUint32(8) : 0;
  const definition = dictionary.avp(vendor, code);
  return {
    definition,
    code,
    vendor,
    mandatory: (flags & mandatoryFlag) !== 0,
    octets: headerOctets,
    length,
  };
}

function decodeAvp(
  header: AvpHeader,
  data: Uint8Array,
  decoding: AvpDecoding,
  base: number,
  depth: number,
): Avp | MalformedAvp {
  const { definition, mandatory } = header;
  const raw = { definition: unknownDefinition(header), mandatory, value: data.slice() };
  if (definition === undefined) {
    if (!decoding.strict || !mandatory) return raw;
    return new MalformedAvp(
      'RFC 6733 §4.1: unknown AVP with the M bit',
      base,
      resultCode.avpUnsupported,
      raw,
    );
  }
  if (definition.type === 'Grouped') return decodeGroup(definition, raw, data, decoding, base, depth);
  const value = formats[definition.type].decode(data);
  if (value !== undefined) return { definition, mandatory, value };
  if (!decoding.strict) return raw;
  return wrongValue(definition, raw, data, base);
}

function decodeGroup(
  definition: AvpDefinition,
  raw: Avp,
  data: Uint8Array,
  decoding: AvpDecoding,
  base: number,
  depth: number,
): Avp | MalformedAvp {
  if (depth + 1 >= maximumGroupDepth) {
    const rule = `nested deeper than ${maximumGroupDepth} groups`;
    return new MalformedAvp(rule, base, resultCode.invalidAvpValue, raw);
  }
  // Failed-AVP holds what somebody could not decode. An unknown AVP inside a group without the M bit is harmless (RFC 6733 §4.4).
  const lenient = sameDefinition(definition, baseAvps.failedAvp) || !raw.mandatory;
  const inner = decodeAvps(data, lenient ? { ...decoding, strict: false } : decoding, base, depth + 1);
  if (inner.malformed === undefined) return { definition, mandatory: raw.mandatory, value: inner.avps };
  if (!decoding.strict) return raw;
  const { rule, offset, resultCode: code, failedAvp } = inner.malformed;
  return new MalformedAvp(rule, offset, code, { definition, mandatory: raw.mandatory, value: [failedAvp] });
}

function wrongValue(definition: AvpDefinition, raw: Avp, data: Uint8Array, base: number): MalformedAvp {
  const { least, fixed } = formats[definition.type];
  const wrongLength = data.length < least || (fixed === true && data.length !== least);
  const code = wrongLength ? resultCode.invalidAvpLength : resultCode.invalidAvpValue;
  return new MalformedAvp(`RFC 6733 §4.2: not a value of format ${definition.type}`, base, code, raw);
}

/** The header of the AVP as far as it can be read, and the least payload in zeros (RFC 6733 §7.5). */
function badLength(octets: Uint8Array, offset: number, base: number, dictionary: Dictionary): MalformedAvp {
  const header = new Uint8Array(12);
  header.set(octets.subarray(offset, offset + 12));
  const view = new DataView(header.buffer);
  const flags = view.getUint8(4);
  const found = {
    code: view.getUint32(0),
    vendor: flags & vendorFlag ? view.getUint32(8) : 0,
    mandatory: (flags & mandatoryFlag) !== 0,
  };
  const known = dictionary.avp(found.vendor, found.code);
  const failed: Avp = {
    definition: unknownDefinition(found),
    mandatory: found.mandatory,
    value: new Uint8Array(known === undefined ? 0 : formats[known.type].least),
  };
  return new MalformedAvp(
    'RFC 6733 §4.1: AVP Length leaves the message',
    base + offset,
    resultCode.invalidAvpLength,
    failed,
  );
}

function unknownDefinition(header: { code: number; vendor: number; mandatory: boolean }): AvpDefinition {
  const name = header.vendor === 0 ? `AVP ${header.code}` : `AVP ${header.code} of vendor ${header.vendor}`;
  return { code: header.code, vendor: header.vendor, name, type: 'OctetString', optional: !header.mandatory };
}

function asOctets(definition: AvpDefinition): AvpDefinition {
  return { ...definition, type: 'OctetString' };
}

function encodeAvp({ definition, mandatory, value }: Avp): Uint8Array {
  const data = formats[definition.type].encode(value as never);
  const vendor = definition.vendor ?? 0;
  const headerOctets = vendor === 0 ? 8 : 12;
  const octets = new Uint8Array(padded(headerOctets + data.length));
  const view = new DataView(octets.buffer);
  view.setUint32(0, definition.code);
  view.setUint32(4, headerOctets + data.length);
  view.setUint8(4, (vendor === 0 ? 0 : vendorFlag) | (mandatory ? mandatoryFlag : 0));
  if (vendor !== 0) view.setUint32(8, vendor);
  octets.set(data, headerOctets);
  return octets;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

interface AvpFormat<Value> {
  /** The least octets of data; with `fixed`, the only length. */
  readonly least: number;
  readonly fixed?: true;
  encode(value: Value): Uint8Array;
  decode(data: Uint8Array): Value | undefined;
}

const unsigned32: AvpFormat<number> = {
  least: 4,
  fixed: true,
  encode: (value) => {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, value);
    return data;
  },
  decode: (data) => (data.length === 4 ? viewOf(data).getUint32(0) : undefined),
};

const integer32: AvpFormat<number> = {
  ...unsigned32,
  decode: (data) => (data.length === 4 ? viewOf(data).getInt32(0) : undefined),
};

const text: AvpFormat<string> = {
  least: 0,
  encode: (value) => new TextEncoder().encode(value),
  decode: decodeUtf8,
};

/** Identities and URIs are ASCII and never empty (RFC 6733 §4.3.1). */
const identity: AvpFormat<string> = {
  least: 1,
  encode: text.encode,
  decode: (data) =>
    data.length > 0 && data.every((octet) => octet > 0x20 && octet < 0x7f) ? decodeUtf8(data) : undefined,
};

const formats: { readonly [Type in AvpType]: AvpFormat<AvpValues[Type]> } = {
  OctetString: { least: 0, encode: (value) => value, decode: (data) => data.slice() },
  UTF8String: text,
  DiameterIdentity: identity,
  DiameterURI: identity,
  Integer32: integer32,
  Unsigned32: unsigned32,
  Enumerated: integer32,
  Time: unsigned32,
  Unsigned64: {
    least: 8,
    fixed: true,
    encode: (value) => {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setBigUint64(0, value);
      return data;
    },
    decode: (data) => (data.length === 8 ? viewOf(data).getBigUint64(0) : undefined),
  },
  Address: { least: 6, encode: encodeAddress, decode: decodeAddress },
  // Groups are decoded in decodeGroup, which knows the dictionary.
  Grouped: { least: 0, encode: encodeAvps, decode: () => undefined },
};

/** AddressFamily (IANA: 1 IPv4, 2 IPv6) and the address (RFC 6733 §4.3.1). */
function encodeAddress(value: string): Uint8Array {
  const octets = parseIpAddress(value) ?? new Uint8Array(4);
  return concatenate([new Uint8Array([0, octets.length === 4 ? 1 : 2]), octets]);
}

function decodeAddress(data: Uint8Array): string | undefined {
  const expected = data[1] === 1 ? 6 : 18;
  if (data[0] !== 0 || (data[1] !== 1 && data[1] !== 2) || data.length !== expected) return undefined;
  return formatIpAddress(data.subarray(2));
}

function decodeUtf8(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
