/**
 * Extensions of Mobile IPv4 messages (RFC 5944 §1.8 … §1.10) and their octets: network access identifier (RFC 2794), UDP tunnelling
 * (RFC 3519), revocation support (RFC 3543), message string (RFC 4917), several care-of addresses (RFC 7629). Authentication extensions
 * are in authentication.ts. Leaves out what only foreign agents and mobile networks use: those are passed over or, when their type
 * number forbids that, make the message unreadable.
 */
import { Malformed } from '../../base/malformed.ts';
import { maximumBindingIdsPerFlow } from './limits.ts';
import { decodeTrafficSelector, encodeTrafficSelector, type TrafficSelector } from './traffic-selector.ts';

/** RFC 2794: who the mobile node is, `user@realm`. */
export interface NetworkAccessIdentifier {
  readonly kind: 'network-access-identifier';
  readonly identifier: string;
}

/** RFC 3519 §3.1. */
export interface UdpTunnelRequest {
  readonly kind: 'udp-tunnel-request';
  /** F: tunnel also where no address translator is found. */
  readonly forced: boolean;
  /** R: registered through a foreign agent that demands it. */
  readonly throughForeignAgent: boolean;
  /** An IP protocol number: 4 IP-in-UDP, 47 GRE, 55 minimal; 0 leaves it to the M and G flags. */
  readonly encapsulation: number;
}

/** RFC 3519 §3.2. */
export interface UdpTunnelReply {
  readonly kind: 'udp-tunnel-reply';
  /** 0 … 63: packets are tunnelled in UDP; 64 … 255: they are not. */
  readonly code: number;
  readonly forced: boolean;
  /** Seconds; 0 leaves it to the mobile node. */
  readonly keepaliveSeconds: number;
}

/** RFC 3543 §3.2. */
export interface RevocationSupport {
  readonly kind: 'revocation-support';
  readonly informs: boolean;
  /** The sender's clock; the upper half of an NTP timestamp. */
  readonly timestamp: number;
}

/** RFC 4917: for people. */
export interface MessageString {
  readonly kind: 'message-string';
  readonly text: string;
}

/** RFC 7629 §4.1. */
export interface Multipath {
  readonly kind: 'multipath';
  /** RFC 5213 §8.5: 1 virtual, 2 PPP, 3 Ethernet, 4 IEEE 802.11, 5 IEEE 802.16e. */
  readonly accessTechnology: number;
  /** 1 … 255. */
  readonly interfaceLabel: number;
  /** 1 … 254. */
  readonly bindingId: number;
  /** B: the lifetime is for all bindings of the mobile node. */
  readonly bulk: boolean;
  /** O: this binding replaces all others. */
  readonly overwrite: boolean;
}

/** RFC 7629 §4.2. */
export interface FlowBinding {
  readonly kind: 'flow-binding';
  readonly action: 'drop' | 'forward';
  /** In order of preference, at least one. */
  readonly bindingIds: readonly number[];
  readonly selector: TrafficSelector;
}

export type Extension =
  | NetworkAccessIdentifier
  | UdpTunnelRequest
  | UdpTunnelReply
  | RevocationSupport
  | MessageString
  | Multipath
  | FlowBinding;

const type = {
  udpTunnelReply: 44,
  networkAccessIdentifier: 131,
  revocationSupport: 137,
  udpTunnelRequest: 144,
  messageString: 145,
  multipath: 154,
} as const;

/** Types of the long format: a sub-type, then 16 bits of length (RFC 5944 §1.8). RFC 7629 uses it for 154. */
const longTypes: readonly number[] = [36, type.multipath];
const padding = 0;

/** One extension cut out of a message, not yet understood. */
export interface RawExtension {
  readonly type: number;
  /** Of the long format only. */
  readonly subType: number | undefined;
  /** What Length counts. */
  readonly data: Uint8Array;
  /** Where the extension and its data start in the message. */
  readonly offset: number;
  readonly dataOffset: number;
}

/** Cuts everything from `start` to the end of the message into extensions. */
export function splitExtensions(message: Uint8Array, start: number): RawExtension[] | Malformed {
  const extensions: RawExtension[] = [];
  for (let offset = start; offset < message.length; ) {
    const type = message[offset] ?? 0;
    if (type === padding) {
      offset += 1;
      continue;
    }
    const isLong = longTypes.includes(type);
    const dataOffset = offset + (isLong ? 4 : 2);
    const length = isLong
      ? ((message[offset + 2] ?? 0) << 8) | (message[offset + 3] ?? 0)
      : (message[offset + 1] ?? 0);
    if (dataOffset + length > message.length)
      return new Malformed('Extension', offset, 'RFC 5944 §1.8: a whole extension');
    const subType = isLong ? message[offset + 1] : undefined;
    extensions.push({
      type,
      subType,
      data: message.subarray(dataOffset, dataOffset + length),
      offset,
      dataOffset,
    });
    offset = dataOffset + length;
  }
  return extensions;
}

/** `undefined`: to be passed over. 'unknown': the message has to be discarded (RFC 5944 §1.8). */
export function decodeExtension(raw: RawExtension): Extension | Malformed | 'unknown' | undefined {
  const reader = new DataView(raw.data.buffer, raw.data.byteOffset, raw.data.byteLength);
  switch (raw.type) {
    case type.networkAccessIdentifier:
      return decodeIdentifier(raw);
    case type.udpTunnelRequest:
      return hasLength(raw, 6) ? decodeTunnelRequest(reader) : wrongLength(raw, 'RFC 3519 §3.1: Length 6');
    case type.udpTunnelReply:
      return hasLength(raw, 6) ? decodeTunnelReply(reader) : wrongLength(raw, 'RFC 3519 §3.2: Length 6');
    case type.revocationSupport:
      // Longer ones are foreseen (RFC 3543 §3.2).
      if (raw.data.length < 6) return wrongLength(raw, 'RFC 3543 §3.2: Length at least 6');
      return {
        kind: 'revocation-support',
        informs: (reader.getUint8(0) & 0x80) !== 0,
        timestamp: reader.getUint32(2),
      };
    case type.messageString:
      return { kind: 'message-string', text: new TextDecoder().decode(raw.data) };
    case type.multipath:
      if (raw.subType === 1) return decodeMultipath(raw);
      return raw.subType === 2 ? decodeFlowBinding(raw) : undefined;
    default:
      return raw.type < 128 ? 'unknown' : undefined;
  }
}

export function encodeExtension(extension: Extension): Uint8Array {
  switch (extension.kind) {
    case 'network-access-identifier':
      return simple(type.networkAccessIdentifier, encodeText(extension.identifier));
    case 'udp-tunnel-request': {
      const flags = (extension.forced ? 0x80 : 0) | (extension.throughForeignAgent ? 0x40 : 0);
      return simple(type.udpTunnelRequest, [0, 0, flags, extension.encapsulation, 0, 0]);
    }
    case 'udp-tunnel-reply': {
      const flags = extension.forced ? 0x80 : 0;
      return simple(type.udpTunnelReply, [
        0,
        extension.code,
        flags,
        0,
        ...uint16(extension.keepaliveSeconds),
      ]);
    }
    case 'revocation-support':
      return simple(type.revocationSupport, [
        extension.informs ? 0x80 : 0,
        0,
        ...uint32(extension.timestamp),
      ]);
    case 'message-string':
      return simple(type.messageString, encodeText(extension.text));
    case 'multipath': {
      const { accessTechnology, interfaceLabel, bindingId } = extension;
      const flags = (extension.bulk ? 0x80 : 0) | (extension.overwrite ? 0x40 : 0);
      return long(type.multipath, 1, [accessTechnology, interfaceLabel, bindingId, flags]);
    }
    case 'flow-binding': {
      const action = extension.action === 'forward' ? 1 : 0;
      const { bindingIds, selector } = extension;
      const ids = [action, bindingIds.length, ...bindingIds];
      return long(type.multipath, 2, [...ids, ipv4Format, ...encodeTrafficSelector(selector)]);
    }
  }
}

/** RFC 7629 §4.2, TS Format. */
const ipv4Format = 1;

function decodeIdentifier(raw: RawExtension): NetworkAccessIdentifier | Malformed {
  if (raw.data.length === 0) return wrongLength(raw, 'RFC 2794 §2: an identifier of at least one octet');
  return { kind: 'network-access-identifier', identifier: new TextDecoder().decode(raw.data) };
}

function decodeTunnelRequest(reader: DataView): UdpTunnelRequest | undefined {
  // Another sub-type, or the third reserved field not zero: not understood (RFC 3519 §3.1.3, against its §4.6.1).
  if (reader.getUint8(0) !== 0 || reader.getUint16(4) !== 0) return undefined;
  const flags = reader.getUint8(2);
  return {
    kind: 'udp-tunnel-request',
    forced: (flags & 0x80) !== 0,
    throughForeignAgent: (flags & 0x40) !== 0,
    encapsulation: reader.getUint8(3),
  };
}

function decodeTunnelReply(reader: DataView): UdpTunnelReply | 'unknown' {
  if (reader.getUint8(0) !== 0) return 'unknown';
  return {
    kind: 'udp-tunnel-reply',
    code: reader.getUint8(1),
    forced: (reader.getUint8(2) & 0x80) !== 0,
    keepaliveSeconds: reader.getUint16(4),
  };
}

function decodeMultipath(raw: RawExtension): Multipath | Malformed {
  const [accessTechnology = 0, interfaceLabel = 0, bindingId = 0, flags = 0] = raw.data;
  const [bulk, overwrite] = [(flags & 0x80) !== 0, (flags & 0x40) !== 0];
  if (raw.data.length !== 4) return wrongLength(raw, 'RFC 7629 §4.1: Length 4');
  if (interfaceLabel === 0) return new Malformed('If-Label', raw.dataOffset + 1, 'RFC 7629 §4.1: 1 … 255');
  if (!isBindingId(bindingId)) return new Malformed('BID', raw.dataOffset + 2, 'RFC 7629 §4.1: 1 … 254');
  if (bulk && overwrite) return new Malformed('B, O', raw.dataOffset + 3, 'RFC 7629 §4.1: never both');
  return { kind: 'multipath', accessTechnology, interfaceLabel, bindingId, bulk, overwrite };
}

function decodeFlowBinding(raw: RawExtension): FlowBinding | Malformed {
  const [action = 0, count = 0] = raw.data;
  const malformed = (field: string, at: number, rule: string): Malformed =>
    new Malformed(field, raw.dataOffset + at, `RFC 7629 §4.2: ${rule}`);
  if (raw.data.length < 3 + count) return malformed('Length', -2, 'action, count, BIDs and TS Format');
  if (action > 1) return malformed('Action', 0, '0 (drop) or 1 (forward)');
  if (count < 1 || count > maximumBindingIdsPerFlow) return malformed('BID Count', 1, '1 … 8');
  const bindingIds = [...raw.data.subarray(2, 2 + count)];
  if (action === 0 && count !== 1) return malformed('BID Count', 1, 'one BID for drop');
  // The BID of a drop may be 255 and is ignored.
  if (action === 1 && !bindingIds.every((id) => isBindingId(id))) return malformed('BID', 2, '1 … 254');
  if (raw.data[2 + count] !== ipv4Format) return malformed('TS Format', 2 + count, '1 (IPv4)');
  const at = 3 + count;
  const selector = decodeTrafficSelector(raw.data.subarray(at), raw.dataOffset + at);
  if (selector instanceof Malformed) return selector;
  return { kind: 'flow-binding', action: action === 1 ? 'forward' : 'drop', bindingIds, selector };
}

function isBindingId(id: number): boolean {
  return id >= 1 && id <= 254;
}

function hasLength(raw: RawExtension, length: number): boolean {
  return raw.data.length === length;
}

function wrongLength(raw: RawExtension, rule: string): Malformed {
  return new Malformed('Length', raw.offset, rule);
}

function simple(type: number, data: ArrayLike<number>): Uint8Array {
  return Uint8Array.from([type, data.length, ...Array.from(data)]);
}

function long(type: number, subType: number, data: readonly number[]): Uint8Array {
  return Uint8Array.from([type, subType, ...uint16(data.length), ...data]);
}

function uint16(value: number): number[] {
  return [value >> 8, value & 255];
}

function uint32(value: number): number[] {
  return [...uint16(value >>> 16), ...uint16(value & 0xffff)];
}

/** One octet of length is all there is. */
function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text).subarray(0, 255);
}
