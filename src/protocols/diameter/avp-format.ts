/**
 * The AVP data formats (RFC 6733 §4.2, §4.3): which octets are a value of one, and values from and to octets. Groups are not here, they are
 * AVPs again. Decided by `switch`: this is done for each of the forty AVPs of a NAT control answer.
 */
import { formatIpAddress, formatIpv4Bits, parseIpAddress, parseIpv4Bits } from '../../base/ip-address.ts';
import type { AvpType, AvpValues } from './avp.ts';
import { uint32At } from './avp-header.ts';
import type { OctetWriter } from './octet-writer.ts';

type PlainType = Exclude<AvpType, 'Grouped'>;

/** The least octets of data of a format. */
export function leastOctetsOf(type: AvpType): number {
  switch (type) {
    case 'Integer32':
    case 'Unsigned32':
    case 'Enumerated':
    case 'Time':
    case 'Ipv4Address':
      return 4;
    case 'Unsigned64':
      return 8;
    case 'Address':
      return 6;
    case 'DiameterIdentity':
    case 'DiameterURI':
      return 1;
    default:
      return 0;
  }
}

/** Whether `length` octets may be a value of that format, whatever they hold. */
export function isLengthOf(type: AvpType, length: number): boolean {
  switch (type) {
    case 'Integer32':
    case 'Unsigned32':
    case 'Enumerated':
    case 'Time':
    case 'Unsigned64':
    case 'Ipv4Address':
      return length === leastOctetsOf(type);
    default:
      return length >= leastOctetsOf(type);
  }
}

/** Whether the octets [from, to) are a value of that format. */
export function isValue(type: PlainType, octets: Buffer, from: number, to: number): boolean {
  switch (type) {
    case 'UTF8String':
      return isWithin(octets, from, to, 0, 0x7f) || decodeUtf8(octets.subarray(from, to)) !== undefined;
    // Identities and URIs are ASCII and never empty (RFC 6733 §4.3.1).
    case 'DiameterIdentity':
    case 'DiameterURI':
      return to > from && isWithin(octets, from, to, 0x21, 0x7e);
    case 'Address':
      return isAddress(octets, from, to);
    default:
      return isLengthOf(type, to - from);
  }
}

/** The value of octets that are one. */
export function readValue(type: PlainType, octets: Buffer, from: number, to: number): AvpValues[PlainType] {
  switch (type) {
    case 'OctetString':
      return new Uint8Array(octets.subarray(from, to));
    case 'UTF8String':
      return isWithin(octets, from, to, 0, 0x7f)
        ? octets.toString('latin1', from, to)
        : octets.toString('utf8', from, to);
    case 'DiameterIdentity':
    case 'DiameterURI':
      return octets.toString('latin1', from, to);
    case 'Integer32':
    case 'Enumerated':
      return uint32At(octets, from) | 0;
    case 'Unsigned32':
    case 'Time':
      return uint32At(octets, from);
    case 'Unsigned64':
      return octets.readBigUInt64BE(from);
    case 'Address':
      return formatIpAddress(octets.subarray(from + 2, to));
    case 'Ipv4Address':
      return formatIpv4Bits(uint32At(octets, from));
  }
}

export function writeValue(type: PlainType, value: AvpValues[AvpType], writer: OctetWriter): void {
  switch (type) {
    case 'OctetString':
      writer.octets(value as Uint8Array);
      break;
    case 'UTF8String':
    case 'DiameterIdentity':
    case 'DiameterURI':
      writer.text(value as string);
      break;
    case 'Integer32':
    case 'Enumerated':
    case 'Unsigned32':
    case 'Time':
      writer.uint32(value as number);
      break;
    case 'Unsigned64':
      writer.uint64(value as bigint);
      break;
    case 'Address':
      writeAddress(value as string, writer);
      break;
    case 'Ipv4Address':
      writer.uint32(parseIpv4Bits(value as string) ?? 0);
  }
}

/** AddressFamily (IANA: 1 IPv4, 2 IPv6) and the address (RFC 6733 §4.3.1). */
function writeAddress(value: string, writer: OctetWriter): void {
  const octets = parseIpAddress(value) ?? new Uint8Array(4);
  writer.uint8(0);
  writer.uint8(octets.length === 4 ? 1 : 2);
  writer.octets(octets);
}

function isAddress(octets: Buffer, from: number, to: number): boolean {
  const family = (octets[from]! << 8) | octets[from + 1]!;
  return family === 1 ? to - from === 6 : family === 2 && to - from === 18;
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
