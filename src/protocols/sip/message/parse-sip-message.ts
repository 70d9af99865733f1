/**
 * Octets → SIP message (RFC 3261 §7, §18.3, §25.1). One scan finds the lines; the fields that decide what becomes of a message are
 * checked at once (routing-fields.ts), all others when somebody reads them. A field that is missing or that contradicts another is no
 * matter of syntax: see request-rejection.ts. The octets are one datagram, or one message cut out of a stream by stream-framer.ts.
 */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { commonRequestUri, matchesAt } from './common-shapes.ts';
import { HeaderLines } from './header-lines.ts';
import { headerNameOf, knownHeaderName, usualHeaderIndexAt } from './header-names.ts';
import { lineEntry, ReceivedLines } from './received-lines.ts';
import { checkOf, faultOfLine } from './routing-fields.ts';
import { SipHeaders } from './sip-headers.ts';
import { type SipMessage, SipRequest, SipResponse } from './sip-message.ts';
import { parseUri } from './sip-uri.ts';

/** The largest payload of a UDP datagram (RFC 3261 §18.1.1), and our limit on streams too. */
export const maximumMessageOctets = 65_535;

const statusLine = /^SIP\/2\.0 ([1-6]\d\d) ([^\r\n]*)$/i;
const usualVersion = 'SIP/2.0';
const sipVersion = /^SIP\/\d+\.\d+$/i;

/**
 * Where messages are read: a copy of the octets, at least one zero behind. A view of each message would take as long to make, and into
 * accesses to a place that never moves the compiler writes the address.
 */
const octets = new Uint8Array(maximumMessageOctets + 64);
const view = new DataView(octets.buffer);

export function parseSipMessage(received: Uint8Array): SipMessage | Malformed {
  if (received.length > maximumMessageOctets)
    return new Malformed('message', maximumMessageOctets, 'RFC 3261 §18.1.1: at most 65535 octets');
  octets.set(received);
  octets[received.length] = 0;
  const buffer =
    received instanceof Buffer
      ? received
      : Buffer.from(received.buffer, received.byteOffset, received.length);
  const text = buffer.toString('latin1');
  const start = startOfMessage(text);
  const startLineEnd = text.indexOf('\r\n', start);
  if (startLineEnd < 0) return new Malformed('start-line', start, 'RFC 3261 §7: a start line ends in CRLF');
  const header = readHeader(text, startLineEnd + 2);
  if (isMalformed(header)) return header;
  const { lines, bodyStart, contentLength = text.length - bodyStart } = header;
  // RFC 3261 §18.3: octets beyond Content-Length are dropped, missing ones are an error; without it the datagram ends the body.
  const bodyEnd = bodyStart + contentLength;
  if (bodyEnd > text.length)
    return new Malformed(
      'Content-Length',
      bodyStart,
      'RFC 3261 §18.3: no more than the octets that are there',
    );
  return createMessage(text, start, startLineEnd, lines, text.slice(bodyStart, bodyEnd));
}

/** RFC 3261 §7.5: empty lines before the start line are to be ignored. */
function startOfMessage(text: string): number {
  let start = 0;
  while (text.charCodeAt(start) === 0x0d && text.charCodeAt(start + 1) === 0x0a) start += 2;
  return start;
}

interface Header {
  readonly lines: ReceivedLines;
  readonly bodyStart: number;
  readonly contentLength: number | undefined;
}

/** The entries of the message that is being read, cut to size at its end: so their array does not grow anew with each message. */
const entries: number[] = [];

function readHeader(text: string, start: number): Header | Malformed {
  let contentLength: number | undefined;
  let seenBits = 0;
  let count = 0;
  let at = start;
  while (octets[at] !== 0x0d || octets[at + 1] !== 0x0a) {
    const usualIndex = usualHeaderIndexAt(view, at);
    const index = usualIndex || oddHeaderIndexAt(text, at);
    const check = checkOf(index);
    // A usual name has its colon right behind, and is written in full or a letter.
    const isInFull = usualIndex !== 0 && check !== undefined && octets[at + 1] !== 0x3a;
    const valueStart = isInFull
      ? at + check.nameLength + 1
      : check === undefined
        ? at
        : text.indexOf(':', at) + 1;
    // What has the common shape ends in CRLF and holds no other CR or LF.
    const isCommon = check !== undefined && matchesAt(check.commonShape, text, valueStart);
    const end = isCommon ? check.commonShape.lastIndex : endOfLine(text, at);
    if (end < 0)
      return new Malformed(
        'message-header',
        at,
        'RFC 3261 §7: each line ends in CRLF, the header in an empty one',
      );
    if (index < 0) return new Malformed('message-header', at, 'RFC 3261 §7.3.1: name ":" value');
    if (check !== undefined) {
      if ((seenBits & check.singleBit) !== 0)
        return new Malformed(
          knownHeaderName(index).name,
          at,
          'RFC 3261 §7.3.1: this field may be present only once',
        );
      seenBits |= check.singleBit;
      const fault = isCommon ? undefined : faultOfLine(check, knownHeaderName(index), text, valueStart, end);
      if (fault !== undefined) return fault;
      if (index === contentLengthIndex) contentLength = decimalAt(valueStart);
    }
    entries[count++] = lineEntry(index, at);
    at = end;
  }
  entries[count++] = at;
  return {
    lines: new ReceivedLines(text, entries.slice(0, count)),
    bodyStart: at + 2,
    contentLength,
  };
}

/** The index of the name before a colon when it is spelled or spaced unusually; 0 for an unknown one, −1 when there is no token. */
function oddHeaderIndexAt(text: string, start: number): number {
  let end = start;
  while (isToken[octets[end]!] === 1) end++;
  return end > start && octets[skipSpaces(end)] === 0x3a ? headerNameOf(text.slice(start, end)).index : -1;
}

/**
 * Behind the CRLF that ends the line; a CRLF before white space continues it (RFC 3261 §7.3.1). −1 when there is none, or a CR or LF
 * without the other: no field may hold them (§25.1), and elements that take a bare LF for an end of line, as Kamailio does, would see
 * header fields there that nobody here has screened.
 */
function endOfLine(text: string, start: number): number {
  for (let from = start; ; ) {
    const end = text.indexOf('\n', from) + 1;
    if (end === 0 || text.indexOf('\r', from) !== end - 2) return -1;
    if (octets[end] !== 0x20 && octets[end] !== 0x09) return end;
    from = end;
  }
}

const contentLengthIndex = headerNameOf('Content-Length').index;

/** The value of a line of which is known that it holds digits, perhaps folded. */
function decimalAt(start: number): number {
  let at = start;
  while (octets[at]! <= 0x20) at++;
  let value = 0;
  for (; octets[at]! >= 0x30 && octets[at]! <= 0x39; at++) value = value * 10 + octets[at]! - 0x30;
  return value;
}

/** RFC 3261 §25.1 token, by octet. */
const isToken: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  /[A-Za-z0-9\-.!%*_+`'~]/.test(String.fromCharCode(code)) ? 1 : 0,
);

function skipSpaces(start: number): number {
  let at = start;
  while (octets[at] === 0x20 || octets[at] === 0x09) at++;
  return at;
}

function createMessage(
  text: string,
  start: number,
  end: number,
  lines: ReceivedLines,
  body: string,
): SipMessage | Malformed {
  const headers = new SipHeaders(HeaderLines.ofReceived(lines));
  if (octets[start + 3] === 0x2f) {
    const status = statusLine.exec(text.slice(start, end));
    return status === null
      ? new Malformed('start-line', start, 'RFC 3261 §7.2: SIP/2.0, a code from 100 to 699, a reason')
      : new SipResponse(Number(status[1]), status[2]!, headers, body);
  }
  let methodEnd = start;
  while (isToken[octets[methodEnd]!] === 1) methodEnd++;
  const uriEnd = text.indexOf(' ', methodEnd + 1);
  const version = versionIn(text, uriEnd + 1, end);
  if (methodEnd === start || octets[methodEnd] !== 0x20 || uriEnd < 0 || version === undefined)
    return new Malformed('start-line', start, 'RFC 3261 §7.1: method, URI, version, one space between');
  const requestUri = text.slice(methodEnd + 1, uriEnd);
  if (!matchesAt(commonRequestUri, text, methodEnd + 1)) {
    const uri = parseUri(requestUri, methodEnd + 1);
    if (isMalformed(uri)) return new Malformed('Request-URI', uri.offset, uri.rule);
  }
  return new SipRequest(text.slice(start, methodEnd), requestUri, headers, body, version);
}

/** The usual one is always the same string: who compares it compares addresses. */
function versionIn(text: string, start: number, end: number): string | undefined {
  if (end - start === usualVersion.length && text.startsWith(usualVersion, start)) return usualVersion;
  const version = text.slice(start, end);
  return sipVersion.test(version) ? version : undefined;
}
