/**
 * A Diameter message (RFC 6733 §3) and its octets. Decoding gives the message, or `MalformedMessage` with everything that the
 * error answer needs; where even the header makes no sense there is nothing to answer and `header` is absent.
 */
import { Malformed } from '../../base/malformed.ts';
import { type Avp, type Avps, avp, hasAvp } from './avp.ts';
import { checkAvps, checkLengths, missingAvp } from './avp-check.ts';
import { uint24At, uint32At } from './avp-header.ts';
import { writeAvps } from './avp-writing.ts';
import { baseAvps } from './dictionary/base.ts';
import type { CommandDefinition, Dictionary } from './dictionary/dictionary.ts';
import { EncodedAvps, endOfWhole } from './encoded-avps.ts';
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
  readonly avps: Avps;
}

export class MalformedMessage extends Malformed {
  /** The Result-Code of the answer. */
  readonly resultCode: number;
  readonly header?: MessageHeader;
  /** Those before the first whose length is wrong; what else is wrong in them is not there. */
  readonly avps: Avps;
  readonly failedAvp?: Avp;

  constructor(
    cause: { field: string; offset: number; rule: string; resultCode: number; failedAvp?: Avp },
    header?: MessageHeader,
    avps: Avps = [],
  ) {
    super(cause.field, cause.offset, cause.rule);
    this.resultCode = cause.resultCode;
    this.avps = avps;
    if (header !== undefined) this.header = header;
    if (cause.failedAvp !== undefined) this.failedAvp = cause.failedAvp;
  }
}

export function encodeMessage(message: DiameterMessage): Buffer {
  const writer = beginMessage(message);
  writeAvps(writer, message.avps);
  return finishMessage();
}

/** Where the AVPs of a message with that header are to be written; `finishMessage` has its octets. One message at a time. */
export function beginMessage(header: MessageHeader): OctetWriter {
  writer.begin();
  // Version 1, and the length, which is put in when it is known.
  writer.uint32(0x0100_0000);
  writer.uint32(((flagsOf(header) << 24) | header.commandCode) >>> 0);
  writer.uint32(header.applicationId);
  writer.uint32(header.hopByHopId);
  writer.uint32(header.endToEndId);
  return writer;
}

export function finishMessage(): Buffer {
  writer.patchUint24(1, writer.length);
  return writer.finish();
}

const writer = new OctetWriter();

/** Decodes exactly one message, as the framer cuts them out of the stream. Its AVPs stay where they are in `octets`. */
export function decodeMessage(
  octets: Uint8Array,
  dictionary: Dictionary,
): DiameterMessage | MalformedMessage {
  if (octets.length < headerOctets) return malformedHeader('shorter than its header');
  if (uint24At(octets, 1) !== octets.length || octets.length % 4 !== 0)
    return malformedHeader('§3: Message Length is not the length of the message, or no multiple of 4');
  const buffer = Buffer.isBuffer(octets)
    ? octets
    : Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  const message = readMessage(buffer, new EncodedAvps(buffer, headerOctets, buffer.length));
  if (octets[0] !== 1) return malformedHeader('§3: version 1', resultCode.unsupportedVersion, message);
  // The E bit belongs to answers, the T bit to requests (RFC 6733 §3, §7.1.3).
  if (message.isRequest ? message.isError : message.isRetransmitted)
    return malformedHeader('§3: E in a request or T in an answer', resultCode.invalidHeaderBits, message);
  const check = message.isRequest ? checkAvps : checkLengths;
  const malformed = check(buffer, headerOctets, buffer.length, dictionary);
  if (malformed === undefined) return message;
  const end = endOfWhole(buffer, headerOctets, buffer.length);
  return new MalformedMessage(malformed, message, new EncodedAvps(buffer, headerOctets, end));
}

/** The first AVP that the command requires and the request lacks (RFC 6733 §7.1.5, 5005). */
export function checkRequired(
  message: DiameterMessage,
  command: CommandDefinition,
): MalformedMessage | undefined {
  const missing = command.required.find((definition) => !hasAvp(message.avps, definition));
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

function readMessage(octets: Buffer, avps: EncodedAvps): DiameterMessage {
  const flags = octets[4]!;
  return {
    commandCode: uint24At(octets, 5),
    applicationId: uint32At(octets, 8),
    isRequest: (flags & requestFlag) !== 0,
    isProxiable: (flags & proxiableFlag) !== 0,
    isError: (flags & errorFlag) !== 0,
    isRetransmitted: (flags & retransmittedFlag) !== 0,
    hopByHopId: uint32At(octets, 12),
    endToEndId: uint32At(octets, 16),
    avps,
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
