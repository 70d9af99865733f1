/**
 * A Diameter message (RFC 6733 §3) and its octets. Decoding gives the message, or `MalformedMessage` with everything that the
 * error answer needs; where even the header makes no sense there is nothing to answer and `header` is absent.
 */
import { Malformed } from '../../base/malformed.ts';
import { type Avp, avp, avpValue } from './avp.ts';
import { decodeAvps, missingAvp, writeAvps } from './avp-codec.ts';
import { baseAvps } from './dictionary/base.ts';
import type { CommandDefinition, Dictionary } from './dictionary/dictionary.ts';
import { OctetWriter } from './octet-writer.ts';
import { isProtocolError, resultCode } from './result-code.ts';

/** Octets of the fixed header. */
export const headerOctets = 20;

const requestFlag = 0x80;
const proxiableFlag = 0x40;
const errorFlag = 0x20;
const retransmittedFlag = 0x10;

export interface MessageHeader {
  readonly commandCode: number;
  readonly applicationId: number;
  readonly isRequest: boolean;
  readonly isProxiable: boolean;
  /** E bit: the answer is a protocol error and need not follow the command's grammar (RFC 6733 §7.2). */
  readonly isError: boolean;
  /** T bit: sent again after a link failure; it may be a duplicate (RFC 6733 §3). */
  readonly isRetransmitted: boolean;
  readonly hopByHopId: number;
  readonly endToEndId: number;
}

export interface DiameterMessage extends MessageHeader {
  readonly avps: readonly Avp[];
}

export class MalformedMessage extends Malformed {
  /** The Result-Code of the answer. */
  readonly resultCode: number;
  readonly header?: MessageHeader;
  /** The AVPs that could be decoded. */
  readonly avps: readonly Avp[];
  readonly failedAvp?: Avp;

  constructor(
    cause: { field: string; offset: number; rule: string; resultCode: number; failedAvp?: Avp },
    header?: MessageHeader,
    avps: readonly Avp[] = [],
  ) {
    super(cause.field, cause.offset, cause.rule);
    this.resultCode = cause.resultCode;
    this.avps = avps;
    if (header !== undefined) this.header = header;
    if (cause.failedAvp !== undefined) this.failedAvp = cause.failedAvp;
  }
}

const writer = new OctetWriter();

export function encodeMessage(message: DiameterMessage): Uint8Array {
  writer.begin();
  // Version 1, and the length, which is put in when it is known.
  writer.uint32(0x0100_0000);
  writer.uint32(((flagsOf(message) << 24) | message.commandCode) >>> 0);
  writer.uint32(message.applicationId);
  writer.uint32(message.hopByHopId);
  writer.uint32(message.endToEndId);
  writeAvps(message.avps, writer);
  writer.patchUint24(1, writer.length);
  return writer.copy();
}

/** Decodes exactly one message, as the framer cuts them out of the stream. */
export function decodeMessage(
  octets: Uint8Array,
  dictionary: Dictionary,
): DiameterMessage | MalformedMessage {
  if (octets.length < headerOctets) return malformedHeader('shorter than its header');
  const message = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  if (message.readUIntBE(1, 3) !== octets.length || octets.length % 4 !== 0)
    return malformedHeader('§3: Message Length is not the length of the message, or no multiple of 4');
  const header = readHeader(message);
  if (message[0] !== 1) return malformedHeader('§3: version 1', resultCode.unsupportedVersion, header);
  // The E bit belongs to answers, the T bit to requests (RFC 6733 §3, §7.1.3).
  if (header.isRequest ? header.isError : header.isRetransmitted)
    return malformedHeader('§3: E in a request or T in an answer', resultCode.invalidHeaderBits, header);
  const decoding = { dictionary, strict: header.isRequest };
  const { avps, malformed } = decodeAvps(message, headerOctets, message.length, decoding);
  return malformed === undefined ? { ...header, avps } : new MalformedMessage(malformed, header, avps);
}

/** The first AVP that the command requires and the request lacks (RFC 6733 §7.1.5, 5005). */
export function checkRequired(
  message: DiameterMessage,
  command: CommandDefinition,
): MalformedMessage | undefined {
  const missing = command.required.find((definition) => avpValue(message.avps, definition) === undefined);
  if (missing === undefined) return undefined;
  const cause = {
    field: missing.name,
    offset: headerOctets,
    rule: `${command.name} requires it`,
    resultCode: resultCode.missingAvp,
    failedAvp: missingAvp(missing),
  };
  return new MalformedMessage(cause, message, message.avps);
}

/** The answer's header: identifiers, command and P bit come from the request (RFC 6733 §6.2). */
export function answerHeader(request: MessageHeader, code: number | undefined): MessageHeader {
  return {
    commandCode: request.commandCode,
    applicationId: request.applicationId,
    isRequest: false,
    isProxiable: request.isProxiable,
    isError: code !== undefined && isProtocolError(code),
    isRetransmitted: false,
    hopByHopId: request.hopByHopId,
    endToEndId: request.endToEndId,
  };
}

/** Result-Code and Failed-AVP of the answer to a request that could not be understood. */
export function failureAvps(failure: MalformedMessage): readonly Avp[] {
  const failed = failure.failedAvp === undefined ? [] : [avp(baseAvps.failedAvp, [failure.failedAvp])];
  return [
    avp(baseAvps.resultCode, failure.resultCode),
    avp(baseAvps.errorMessage, failure.toString()),
    ...failed,
  ];
}

function readHeader(octets: Buffer): MessageHeader {
  const flags = octets.readUInt8(4);
  return {
    commandCode: octets.readUIntBE(5, 3),
    applicationId: octets.readUInt32BE(8),
    isRequest: (flags & requestFlag) !== 0,
    isProxiable: (flags & proxiableFlag) !== 0,
    isError: (flags & errorFlag) !== 0,
    isRetransmitted: (flags & retransmittedFlag) !== 0,
    hopByHopId: octets.readUInt32BE(12),
    endToEndId: octets.readUInt32BE(16),
  };
}

function flagsOf(header: MessageHeader): number {
  return (
    (header.isRequest ? requestFlag : 0) |
    (header.isProxiable ? proxiableFlag : 0) |
    (header.isError ? errorFlag : 0) |
    (header.isRetransmitted ? retransmittedFlag : 0)
  );
}

function malformedHeader(
  rule: string,
  code: number = resultCode.invalidMessageLength,
  header?: MessageHeader,
): MalformedMessage {
  return new MalformedMessage(
    { field: 'header', offset: 0, rule: `RFC 6733 ${rule}`, resultCode: code },
    header,
  );
}
