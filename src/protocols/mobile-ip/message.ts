/**
 * Control messages of Mobile IPv4 on UDP port 434 and their octets: Registration Request and Reply (RFC 5944 §3.3, §3.4), Registration
 * Revocation and its Acknowledgment (RFC 3543 §3.3, §3.4). Tunnelled data, which shares the port, is in tunnel-data.ts. Leaves out
 * regional registration, handoff and notification messages (RFC 4857, 4881, 6098).
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import {
  type Authentication,
  type AuthenticationKind,
  authenticated,
  type SecurityAssociation,
} from './authentication.ts';
import {
  decodeExtension,
  type Extension,
  encodeExtension,
  type RawExtension,
  splitExtensions,
} from './extension.ts';
import { maximumMessageOctets } from './limits.ts';

export interface RegistrationRequest {
  readonly kind: 'registration-request';
  /** S: earlier bindings stay. */
  readonly simultaneousBindings: boolean;
  /** B: broadcasts of the home network are wanted. */
  readonly broadcasts: boolean;
  /** D: the care-of address is the mobile node's own. */
  readonly decapsulationByMobileNode: boolean;
  /** M. */
  readonly minimalEncapsulation: boolean;
  /** G. */
  readonly genericRoutingEncapsulation: boolean;
  /** T (RFC 3024). */
  readonly reverseTunnel: boolean;
  /** Seconds; 0 takes the binding back, 65535 is without end. */
  readonly lifetimeSeconds: number;
  readonly homeAddress: string;
  readonly homeAgent: string;
  readonly careOfAddress: string;
  readonly identification: bigint;
  readonly extensions: readonly Extension[];
}

export interface RegistrationReply {
  readonly kind: 'registration-reply';
  /** See reply-code.ts. */
  readonly code: number;
  readonly lifetimeSeconds: number;
  readonly homeAddress: string;
  readonly homeAgent: string;
  readonly identification: bigint;
  readonly extensions: readonly Extension[];
}

export interface RegistrationRevocation {
  readonly kind: 'registration-revocation';
  /** A: the home agent revokes. */
  readonly byHomeAgent: boolean;
  /** I. */
  readonly informs: boolean;
  readonly homeAddress: string;
  readonly homeDomainAddress: string;
  readonly foreignDomainAddress: string;
  readonly revocationIdentifier: number;
  readonly extensions: readonly Extension[];
}

export interface RevocationAcknowledgment {
  readonly kind: 'revocation-acknowledgment';
  readonly informs: boolean;
  readonly homeAddress: string;
  readonly revocationIdentifier: number;
  readonly extensions: readonly Extension[];
}

export type MobileIpMessage =
  | RegistrationRequest
  | RegistrationReply
  | RegistrationRevocation
  | RevocationAcknowledgment;

export interface ReceivedMessage {
  /** With the extensions that the authentication covers (all of them where there is none). */
  readonly message: MobileIpMessage;
  /** The first authorization-enabling extension (RFC 5944 §1.6). */
  readonly authentication?: Authentication;
  /** Further authentication extensions: a reply must have only one of the home agent (RFC 5944 §3.6.2.1). */
  readonly furtherAuthentications: readonly AuthenticationKind[];
  /** What stands behind the authentication: anybody may have put it there. */
  readonly unprotected: readonly Extension[];
  /** An extension with a value that it may not have: the answer to a request is "poorly formed". */
  readonly malformed?: Malformed;
}

const messageType = { request: 1, reply: 3, revocation: 7, acknowledgment: 15 } as const;
/** Octets before the extensions. */
const fixedOctets: ReadonlyMap<number, number> = new Map([
  [messageType.request, 24],
  [messageType.reply, 20],
  [messageType.revocation, 20],
  [messageType.acknowledgment, 12],
]);

/** With `association` the message ends with a Mobile-Home Authentication extension. */
export function encodeMessage(message: MobileIpMessage, association?: SecurityAssociation): Uint8Array {
  const parts = [encodeFixed(message), ...message.extensions.map((extension) => encodeExtension(extension))];
  const octets = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return association === undefined ? octets : authenticated(octets, association);
}

/** Malformed means that nobody may answer: cut off, of another type, or with an extension that must be understood and is not. */
export function decodeMessage(octets: Uint8Array): ReceivedMessage | Malformed {
  const length = fixedOctets.get(octets[0] ?? 0);
  if (length === undefined)
    return new Malformed('Type', 0, 'RFC 5944 §3: a control message of the home agent');
  if (octets.length < length) return new Malformed('Message', 0, 'RFC 5944 §3: a whole fixed part');
  if (octets.length > maximumMessageOctets) return new Malformed('Message', 0, 'longer than any we know of');
  const extensions = splitExtensions(octets, length);
  if (extensions instanceof Malformed) return extensions;
  return decodeExtensions(decodeFixed(octets), extensions);
}

function decodeExtensions(
  message: MobileIpMessage,
  raws: readonly RawExtension[],
): ReceivedMessage | Malformed {
  const [covered, unprotected]: [Extension[], Extension[]] = [[], []];
  const furtherAuthentications: AuthenticationKind[] = [];
  let authentication: Authentication | undefined;
  let malformed: Malformed | undefined;
  for (const raw of raws) {
    const found = decodeAuthentication(raw);
    if (found instanceof Malformed) return found;
    if (found !== undefined) {
      if (authentication === undefined && authorizes(found.of)) authentication = found;
      else furtherAuthentications.push(found.of);
      continue;
    }
    const extension = decodeExtension(raw);
    if (extension === 'unknown')
      return new Malformed(
        `Extension ${raw.type}`,
        raw.offset,
        'RFC 5944 §1.8: types below 128 must be known',
      );
    if (extension instanceof Malformed) malformed ??= extension;
    else if (extension !== undefined) (authentication === undefined ? covered : unprotected).push(extension);
  }
  return {
    message: { ...message, extensions: covered },
    ...(authentication && { authentication }),
    furtherAuthentications,
    unprotected,
    ...(malformed && { malformed }),
  };
}

function authorizes(kind: AuthenticationKind): boolean {
  return kind === 'mobile-home' || kind === 'mobile-authentication-server';
}

/** Types 32 to 34, and 36 with sub-type 1 (RFC 4721 §5). */
function decodeAuthentication(raw: RawExtension): Authentication | Malformed | undefined {
  const of = authenticationKinds.get(raw.type);
  if (of === undefined || (raw.type === 36 && raw.subType !== 1)) return undefined;
  if (raw.data.length < 5)
    return new Malformed('Authentication', raw.offset, 'RFC 5944 §3.5.2: SPI and authenticator');
  const spi = new DataView(raw.data.buffer, raw.data.byteOffset).getUint32(0);
  return { of, spi, authenticator: raw.data.subarray(4), covered: raw.dataOffset + 4 };
}

const authenticationKinds: ReadonlyMap<number, AuthenticationKind> = new Map([
  [32, 'mobile-home'],
  [33, 'mobile-foreign'],
  [34, 'foreign-home'],
  [36, 'mobile-authentication-server'],
]);

function encodeFixed(message: MobileIpMessage): Uint8Array {
  switch (message.kind) {
    case 'registration-request': {
      const octets = fixedPart(messageType.request, requestFlags(message));
      octets.setUint16(2, message.lifetimeSeconds);
      setAddresses(octets, [message.homeAddress, message.homeAgent, message.careOfAddress]);
      octets.setBigUint64(16, message.identification);
      return octetsOf(octets);
    }
    case 'registration-reply': {
      const octets = fixedPart(messageType.reply, message.code);
      octets.setUint16(2, message.lifetimeSeconds);
      setAddresses(octets, [message.homeAddress, message.homeAgent]);
      octets.setBigUint64(12, message.identification);
      return octetsOf(octets);
    }
    case 'registration-revocation': {
      const octets = fixedPart(messageType.revocation, 0);
      octets.setUint8(2, (message.byHomeAgent ? 0x80 : 0) | (message.informs ? 0x40 : 0));
      setAddresses(octets, [message.homeAddress, message.homeDomainAddress, message.foreignDomainAddress]);
      octets.setUint32(16, message.revocationIdentifier);
      return octetsOf(octets);
    }
    case 'revocation-acknowledgment': {
      const octets = fixedPart(messageType.acknowledgment, 0);
      octets.setUint8(2, message.informs ? 0x80 : 0);
      setAddresses(octets, [message.homeAddress]);
      octets.setUint32(8, message.revocationIdentifier);
      return octetsOf(octets);
    }
  }
}

function decodeFixed(octets: Uint8Array): MobileIpMessage {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const address = (at: number): string => formatIpAddress(octets.subarray(at, at + 4));
  const homeAddress = address(4);
  switch (octets[0]) {
    case messageType.request:
      return {
        kind: 'registration-request',
        ...decodeRequestFlags(view.getUint8(1)),
        lifetimeSeconds: view.getUint16(2),
        homeAddress,
        homeAgent: address(8),
        careOfAddress: address(12),
        identification: view.getBigUint64(16),
        extensions: [],
      };
    case messageType.reply:
      return {
        kind: 'registration-reply',
        code: view.getUint8(1),
        lifetimeSeconds: view.getUint16(2),
        homeAddress,
        homeAgent: address(8),
        identification: view.getBigUint64(12),
        extensions: [],
      };
    case messageType.revocation:
      return {
        kind: 'registration-revocation',
        byHomeAgent: (view.getUint8(2) & 0x80) !== 0,
        informs: (view.getUint8(2) & 0x40) !== 0,
        homeAddress,
        homeDomainAddress: address(8),
        foreignDomainAddress: address(12),
        revocationIdentifier: view.getUint32(16),
        extensions: [],
      };
    default:
      return {
        kind: 'revocation-acknowledgment',
        informs: (view.getUint8(2) & 0x80) !== 0,
        homeAddress,
        revocationIdentifier: view.getUint32(8),
        extensions: [],
      };
  }
}

/** Bits r and x are sent as zero; what a peer sends in them is ignored (RFC 5944 §3.3, against its §3.8.2.3). */
function requestFlags(request: RegistrationRequest): number {
  return (
    (request.simultaneousBindings ? 0x80 : 0) |
    (request.broadcasts ? 0x40 : 0) |
    (request.decapsulationByMobileNode ? 0x20 : 0) |
    (request.minimalEncapsulation ? 0x10 : 0) |
    (request.genericRoutingEncapsulation ? 0x08 : 0) |
    (request.reverseTunnel ? 0x02 : 0)
  );
}

function decodeRequestFlags(flags: number) {
  return {
    simultaneousBindings: (flags & 0x80) !== 0,
    broadcasts: (flags & 0x40) !== 0,
    decapsulationByMobileNode: (flags & 0x20) !== 0,
    minimalEncapsulation: (flags & 0x10) !== 0,
    genericRoutingEncapsulation: (flags & 0x08) !== 0,
    reverseTunnel: (flags & 0x02) !== 0,
  };
}

/** Type and the octet behind it; the rest is zero. */
function fixedPart(type: number, second: number): DataView {
  const octets = new Uint8Array(fixedOctets.get(type) ?? 0);
  octets[0] = type;
  octets[1] = second;
  return new DataView(octets.buffer);
}

/** From offset 4 on, where every message has the home address. */
function setAddresses(view: DataView, addresses: readonly string[]): void {
  addresses.forEach((address, index) => {
    octetsOf(view).set(parseIpAddress(address) ?? [], 4 + 4 * index);
  });
}

function octetsOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
