/**
 * The little of STUN that keeps flows alive (RFC 5626 §8, RFC 5389 §6, §15.2): Binding requests, and answers that say where the request
 * came from. On the ports of SIP over UDP; the first octet tells the two apart. Leaves out authentication and FINGERPRINT.
 */
import { formatIpAddress, parseIpAddress } from '../../../base/ip-address.ts';
import type { TransportAddress } from '../../../base/network.ts';
import type { RandomSource } from '../../../base/random-source.ts';

export interface BindingMessage {
  readonly kind: 'request' | 'success' | 'error';
  /** The 96 bits that an answer repeats, in hexadecimal digits. */
  readonly transactionId: string;
  /** success: XOR-MAPPED-ADDRESS. */
  readonly mapped: TransportAddress | undefined;
  /** Attributes that must be understood (below 0x8000) and are not. */
  readonly unknown: readonly number[];
}

const headerOctets = 20;
const magicCookie = 0x2112a442;
const types = { request: 0x0001, success: 0x0101, error: 0x0111 } as const;
const xorMappedAddress = 0x0020;
const errorCode = 0x0009;
const unknownAttributes = 0x000a;

/** No SIP message begins with such an octet. */
export function isStun(octets: Uint8Array): boolean {
  return octets.length > 0 && octets[0]! <= 1;
}

/** `undefined`: no Binding message, or a broken one, which is dropped (RFC 5389 §7.3). */
export function decodeBinding(octets: Uint8Array): BindingMessage | undefined {
  if (octets.length < headerOctets) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const kind = (['request', 'success', 'error'] as const).find((name) => types[name] === view.getUint16(0));
  const length = view.getUint16(2);
  if (kind === undefined || view.getUint32(4) !== magicCookie) return undefined;
  if (length % 4 !== 0 || headerOctets + length !== octets.length) return undefined;
  const transactionId = Buffer.from(octets.subarray(8, headerOctets)).toString('hex');
  let mapped: TransportAddress | undefined;
  const unknown: number[] = [];
  for (let at = headerOctets; at < octets.length; ) {
    const type = view.getUint16(at);
    const end = at + 4 + view.getUint16(at + 2);
    if (end > octets.length) return undefined;
    if (type === xorMappedAddress && kind === 'success')
      mapped = xorAddress(octets.subarray(at + 4, end), octets);
    else if (type < 0x8000 && kind === 'request') unknown.push(type);
    at = (end + 3) & ~3;
  }
  return { kind, transactionId, mapped, unknown };
}

export function encodeBindingRequest(random: RandomSource): Uint8Array {
  const octets = message(types.request, Buffer.alloc(0));
  for (let at = 8; at < headerOctets; at += 4) octets.writeUInt32BE(random.nextUint32(), at);
  return octets;
}

/** The answer to a request: where it came from, or (420) what in it is not understood. */
export function answerBinding(
  request: Uint8Array,
  { unknown }: BindingMessage,
  source: TransportAddress,
): Uint8Array {
  const answer = unknown.length === 0 ? success(request, source) : refusal(unknown);
  answer.set(request.subarray(8, headerOctets), 8);
  return answer;
}

function success(request: Uint8Array, source: TransportAddress): Buffer {
  const address = parseIpAddress(source.address) ?? new Uint8Array(4);
  const value = Buffer.alloc(4 + address.length);
  value[1] = address.length === 4 ? 1 : 2;
  value.writeUInt16BE(source.port ^ (magicCookie >>> 16), 2);
  value.set(xored(address, request), 4);
  return message(types.success, attribute(xorMappedAddress, value));
}

/** RFC 5389 §7.3.1, §15.6. */
function refusal(unknown: readonly number[]): Buffer {
  const code = Buffer.concat([Buffer.from([0, 0, 4, 20]), Buffer.from('Unknown Attribute')]);
  const list = Buffer.from(unknown.flatMap((type) => [type >> 8, type & 0xff]));
  return message(
    types.error,
    Buffer.concat([attribute(errorCode, code), attribute(unknownAttributes, list)]),
  );
}

function message(type: number, attributes: Buffer): Buffer {
  const octets = Buffer.alloc(headerOctets + attributes.length);
  octets.writeUInt16BE(type, 0);
  octets.writeUInt16BE(attributes.length, 2);
  octets.writeUInt32BE(magicCookie, 4);
  octets.set(attributes, headerOctets);
  return octets;
}

function attribute(type: number, value: Buffer): Buffer {
  const octets = Buffer.alloc(4 + ((value.length + 3) & ~3));
  octets.writeUInt16BE(type, 0);
  octets.writeUInt16BE(value.length, 2);
  octets.set(value, 4);
  return octets;
}

/** RFC 5389 §15.2: so that address translators that rewrite what looks like an address leave it alone. */
function xorAddress(value: Uint8Array, header: Uint8Array): TransportAddress | undefined {
  const length = value[1] === 1 ? 4 : 16;
  if (value.length !== 4 + length) return undefined;
  const port = ((value[2]! << 8) | value[3]!) ^ (magicCookie >>> 16);
  return { address: formatIpAddress(xored(value.subarray(4), header)), port };
}

/** With the magic cookie and, for IPv6, the transaction id behind it. */
function xored(octets: Uint8Array, header: Uint8Array): Uint8Array {
  return octets.map((octet, index) => octet ^ header[4 + index]!);
}
