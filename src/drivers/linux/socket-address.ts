/** struct sockaddr_in and sockaddr_in6, for the system calls that take or fill them. Leaves out scopes and flow labels. */
import { formatIpAddress, formatIpv4Bits, parseIpAddress, parseIpv4Bits } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import { AF_INET, AF_INET6 } from './system-calls.ts';

/** Of the larger one. */
export const socketAddressOctets = 28;

/** Throws RangeError. */
export function socketAddress(address: TransportAddress): Uint8Array {
  const view = new DataView(new ArrayBuffer(socketAddressOctets));
  const length = writeSocketAddress(view, 0, address);
  if (length === undefined) throw new RangeError(`not an IP address: ${address.address}`);
  return new Uint8Array(view.buffer, 0, length);
}

/** The octets that it takes from `at` on, where `socketAddressOctets` may be written; undefined for what is no IP address. */
export function writeSocketAddress(
  view: DataView,
  at: number,
  { address, port }: TransportAddress,
): 16 | 28 | undefined {
  view.setUint16(at + 2, port);
  const bits = parseIpv4Bits(address);
  if (bits !== undefined) {
    view.setUint16(at, AF_INET, true);
    view.setUint32(at + 4, bits);
    return 16;
  }
  const octets = parseIpAddress(address);
  if (octets === undefined) return undefined;
  view.setUint16(at, AF_INET6, true);
  view.setUint32(at + 4, 0);
  for (const [index, octet] of octets.entries()) view.setUint8(at + 8 + index, octet);
  view.setUint32(at + 24, 0);
  return 28;
}

export function readSocketAddress(view: DataView, at: number): TransportAddress {
  const port = view.getUint16(at + 2);
  if (view.getUint16(at, true) === AF_INET) return ipv4Address(view.getInt32(at + 4), port);
  return { address: formatIpAddress(new Uint8Array(view.buffer, view.byteOffset + at + 8, 16)), port };
}

function ipv4Address(bits: number, port: number): TransportAddress {
  const place = (bits ^ (bits >>> 8) ^ port) & (knownAddresses.length - 1);
  const known = knownAddresses[place];
  if (known?.bits === bits && known.read.port === port) return known.read;
  const read = { address: formatIpv4Bits(bits), port };
  knownAddresses[place] = { bits, read };
  return read;
}

/** The last one of each place: most datagrams come from a few neighbours, and each brought a text and an object of its own. */
const knownAddresses: ({ readonly bits: number; readonly read: TransportAddress } | undefined)[] = new Array(
  256,
).fill(undefined);
