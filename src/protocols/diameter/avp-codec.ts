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
import type { OctetWriter } from './octet-writer.ts';
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

/** Decodes the octets [from, to) of a message as a list of AVPs. */
export function decodeAvps(
  octets: Buffer,
  from: number,
  to: number,
  decoding: AvpDecoding,
  depth = 0,
): DecodedAvps {
  const avps: Avp[] = [];
  let malformed: MalformedAvp | undefined;
  for (let offset = from; offset < to; ) {
    const header = readHeader(octets, offset, to, decoding.dictionary);
    if (header === undefined)
      return { avps, malformed: malformed ?? badLength(octets, offset, to, decoding.dictionary) };
    const decoded = decodeAvp(header, octets, decoding, depth);
    if (decoded instanceof Malformed) malformed ??= decoded;
    else avps.push(decoded);
    offset += padded(header.length);
  }
  return malformed === undefined ? { avps } : { avps, malformed };
}

export function writeAvps(avps: readonly Avp[], writer: OctetWriter): void {
  for (const avp of avps) writeAvp(avp, writer);
}

/** A made-up AVP for "this one is missing": code, vendor and the least payload, all zero (RFC 6733 §7.5). */
export function missingAvp(definition: AvpDefinition): Avp {
  const least = formats[definition.type].least;
  return { definition: asOctets(definition), mandatory: true, value: new Uint8Array(least) };
}

interface AvpHeader {
  readonly definition: AvpDefinition | undefined;
  readonly code: number;
  readonly vendor: number;
  readonly mandatory: boolean;
  /** Where its data begins in the message, behind 8 octets of header or 12 with a Vendor-Id. */
  readonly data: number;
  /** Where its data ends, before the padding. */
  readonly end: number;
  /** AVP Length: header and data without padding. */
  readonly length: number;
}

/** Undefined when the length is wrong: then nothing behind it can be found either. */
function readHeader(
  octets: Buffer,
  offset: number,
  to: number,
  dictionary: Dictionary,
): AvpHeader | undefined {
  if (offset + 8 > to) return undefined;
  const flags = octets[offset + 4]!;
  const length = octets.readUInt32BE(offset + 4) & 0xff_ffff;
  const headerOctets = flags & vendorFlag ? 12 : 8;
  if (length < headerOctets || offset + length > to) return undefined;
  const code = octets.readUInt32BE(offset);
  const vendor = flags & vendorFlag ? octets.readUInt32BE(offset + 8) : 0;
  return {
    definition: dictionary.avp(vendor, code),
    code,
    vendor,
    mandatory: (flags & mandatoryFlag) !== 0,
    data: offset + headerOctets,
    end: offset + length,
    length,
  };
}

function decodeAvp(
  header: AvpHeader,
  octets: Buffer,
  decoding: AvpDecoding,
  depth: number,
): Avp | MalformedAvp {
  const { definition, mandatory, data, end } = header;
  if (definition === undefined) {
    const raw = rawAvp(header, octets);
    if (!decoding.strict || !mandatory) return raw;
    return new MalformedAvp(
      'RFC 6733 §4.1: unknown AVP with the M bit',
      data,
      resultCode.avpUnsupported,
      raw,
    );
  }
  if (definition.type === 'Grouped') return decodeGroup(definition, header, octets, decoding, depth);
  const value = formats[definition.type].read(octets, data, end);
  if (value !== undefined) return { definition, mandatory, value };
  if (!decoding.strict) return rawAvp(header, octets);
  return wrongValue(definition, header, octets);
}

function decodeGroup(
  definition: AvpDefinition,
  header: AvpHeader,
  octets: Buffer,
  decoding: AvpDecoding,
  depth: number,
): Avp | MalformedAvp {
  const { mandatory, data, end } = header;
  if (depth + 1 >= maximumGroupDepth) {
    const rule = `nested deeper than ${maximumGroupDepth} groups`;
    return new MalformedAvp(rule, data, resultCode.invalidAvpValue, rawAvp(header, octets));
  }
  // Failed-AVP holds what somebody could not decode. An unknown AVP inside a group without the M bit is harmless (RFC 6733 §4.4).
  const lenient = sameDefinition(definition, baseAvps.failedAvp) || !mandatory;
  const innerDecoding = lenient && decoding.strict ? { ...decoding, strict: false } : decoding;
  const inner = decodeAvps(octets, data, end, innerDecoding, depth + 1);
  if (inner.malformed === undefined) return { definition, mandatory, value: inner.avps };
  if (!decoding.strict) return rawAvp(header, octets);
  const { rule, offset, resultCode: code, failedAvp } = inner.malformed;
  return new MalformedAvp(rule, offset, code, { definition, mandatory, value: [failedAvp] });
}

/** The AVP as it came. */
function rawAvp(header: AvpHeader, octets: Buffer): Avp {
  const value = new Uint8Array(octets.subarray(header.data, header.end));
  return { definition: unknownDefinition(header), mandatory: header.mandatory, value };
}

function wrongValue(definition: AvpDefinition, header: AvpHeader, octets: Buffer): MalformedAvp {
  const { least, fixed } = formats[definition.type];
  const length = header.end - header.data;
  const wrongLength = length < least || (fixed === true && length !== least);
  const code = wrongLength ? resultCode.invalidAvpLength : resultCode.invalidAvpValue;
  const rule = `RFC 6733 §4.2: not a value of format ${definition.type}`;
  return new MalformedAvp(rule, header.data, code, rawAvp(header, octets));
}

/** The header of the AVP as far as it can be read, and the least payload in zeros (RFC 6733 §7.5). */
function badLength(octets: Buffer, offset: number, to: number, dictionary: Dictionary): MalformedAvp {
  const header = new Uint8Array(12);
  header.set(octets.subarray(offset, Math.min(offset + 12, to)));
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
    offset,
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

function writeAvp({ definition, mandatory, value }: Avp, writer: OctetWriter): void {
  const vendor = definition.vendor ?? 0;
  const start = writer.length;
  writer.uint32(definition.code);
  // The length is put in when it is known.
  writer.uint32(((vendor === 0 ? 0 : vendorFlag) | (mandatory ? mandatoryFlag : 0)) << 24);
  if (vendor !== 0) writer.uint32(vendor);
  formats[definition.type].write(value as never, writer);
  writer.patchUint24(start + 5, writer.length - start);
  writer.pad();
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

interface AvpFormat<Value> {
  /** The least octets of data; with `fixed`, the only length. */
  readonly least: number;
  readonly fixed?: true;
  write(value: Value, writer: OctetWriter): void;
  /** The value of the octets [from, to); undefined when they are none. */
  read(octets: Buffer, from: number, to: number): Value | undefined;
}

const unsigned32: AvpFormat<number> = {
  least: 4,
  fixed: true,
  write: (value, writer) => writer.uint32(value),
  read: (octets, from, to) => (to - from === 4 ? octets.readUInt32BE(from) : undefined),
};

const integer32: AvpFormat<number> = {
  ...unsigned32,
  read: (octets, from, to) => (to - from === 4 ? octets.readInt32BE(from) : undefined),
};

const text: AvpFormat<string> = {
  least: 0,
  write: (value, writer) => writer.text(value),
  read: (octets, from, to) =>
    isWithin(octets, from, to, 0, 0x7f)
      ? octets.toString('latin1', from, to)
      : decodeUtf8(octets.subarray(from, to)),
};

/** Identities and URIs are ASCII and never empty (RFC 6733 §4.3.1). */
const identity: AvpFormat<string> = {
  least: 1,
  write: text.write,
  read: (octets, from, to) =>
    to > from && isWithin(octets, from, to, 0x21, 0x7e) ? octets.toString('latin1', from, to) : undefined,
};

const formats: { readonly [Type in AvpType]: AvpFormat<AvpValues[Type]> } = {
  OctetString: {
    least: 0,
    write: (value, writer) => writer.octets(value),
    read: (octets, from, to) => new Uint8Array(octets.subarray(from, to)),
  },
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
    write: (value, writer) => writer.uint64(value),
    read: (octets, from, to) => (to - from === 8 ? octets.readBigUInt64BE(from) : undefined),
  },
  Address: { least: 6, write: writeAddress, read: readAddress },
  // Groups are decoded in decodeGroup, which knows the dictionary.
  Grouped: { least: 0, write: writeAvps, read: () => undefined },
};

/** AddressFamily (IANA: 1 IPv4, 2 IPv6) and the address (RFC 6733 §4.3.1). */
function writeAddress(value: string, writer: OctetWriter): void {
  const octets = parseIpAddress(value) ?? new Uint8Array(4);
  writer.uint8(0);
  writer.uint8(octets.length === 4 ? 1 : 2);
  writer.octets(octets);
}

function readAddress(octets: Buffer, from: number, to: number): string | undefined {
  const family = to - from >= 2 ? octets.readUInt16BE(from) : 0;
  if ((family !== 1 && family !== 2) || to - from !== (family === 1 ? 6 : 18)) return undefined;
  return formatIpAddress(octets.subarray(from + 2, to));
}

function isWithin(octets: Buffer, from: number, to: number, least: number, most: number): boolean {
  for (let at = from; at < to; at++) if (octets[at]! < least || octets[at]! > most) return false;
  return true;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}
