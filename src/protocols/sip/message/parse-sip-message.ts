/**
 * Octets → SIP message (RFC 3261 §7, §18.3, §25.1). One scan finds the lines; the fields that decide what becomes of a message are
 * checked at once (Via, From, To, Call-ID, CSeq, Max-Forwards, Contact, Content-Length), all others when somebody reads them.
 * A field that is missing or that contradicts another is no matter of syntax: see request-rejection.ts.
 * The octets are one datagram, or one message cut out of a stream by stream-framer.ts.
 */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { parseCSeq } from './cseq.ts';
import { canonicalHeaderName } from './header-names.ts';
import { parseNameAddress } from './name-address.ts';
import { SipHeaders } from './sip-headers.ts';
import { type SipMessage, SipRequest, SipResponse } from './sip-message.ts';
import { parseSipUri } from './sip-uri.ts';
import { parseVia } from './via.ts';

/** The largest payload of a UDP datagram (RFC 3261 §18.1.1), and our limit on streams too. */
export const maximumMessageOctets = 65_535;

const requestLine = /^([A-Za-z0-9\-.!%*_+`'~]+) (\S+) (SIP\/\d+\.\d+)$/i;
const statusLine = /^SIP\/2\.0 ([1-6]\d\d) ([^\r\n]*)$/i;
const headerLine = /^([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*:/;

export function parseSipMessage(octets: Uint8Array): SipMessage | Malformed {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');
  if (text.length > maximumMessageOctets)
    return new Malformed('message', maximumMessageOctets, 'at most 65535 octets');
  const start = startOfMessage(text);
  const startLineEnd = text.indexOf('\r\n', start);
  if (startLineEnd < 0) return new Malformed('start-line', start, 'RFC 3261 §7: a start line ends in CRLF');
  const headers = new SipHeaders();
  const bodyStart = readHeaderLines(text, startLineEnd + 2, headers);
  if (isMalformed(bodyStart)) return bodyStart;
  const fault = faultOfHeaders(headers, startLineEnd + 2);
  if (fault !== undefined) return fault;
  const bodyLength = bodyLengthOf(headers, text.length - bodyStart, startLineEnd + 2);
  if (isMalformed(bodyLength)) return bodyLength;
  const body = text.slice(bodyStart, bodyStart + bodyLength);
  return createMessage(text.slice(start, startLineEnd), start, headers, body);
}

/** RFC 3261 §7.5: empty lines before the start line are to be ignored. */
function startOfMessage(text: string): number {
  let start = 0;
  while (text.charCodeAt(start) === 0x0d && text.charCodeAt(start + 1) === 0x0a) start += 2;
  return start;
}

/** Returns where the body begins. */
function readHeaderLines(text: string, start: number, headers: SipHeaders): number | Malformed {
  for (let at = start; ; ) {
    const end = endOfHeaderLine(text, at);
    if (end < 0) return new Malformed('message-header', at, 'RFC 3261 §7: an empty line ends the headers');
    if (end === at) return end + 2;
    const line = text.slice(at, end + 2);
    const match = headerLine.exec(line);
    if (match === null) return new Malformed('message-header', at, 'RFC 3261 §7.3.1: name ":" value');
    headers.appendRaw(canonicalHeaderName(match[1]!), line, match[0].length);
    at = end + 2;
  }
}

/** The CRLF that is not followed by white space, which would continue the line (RFC 3261 §7.3.1). */
function endOfHeaderLine(text: string, start: number): number {
  let end = text.indexOf('\r\n', start);
  while (end > start) {
    const next = text.charCodeAt(end + 2);
    if (next !== 0x20 && next !== 0x09) break;
    end = text.indexOf('\r\n', end + 2);
  }
  return end;
}

const checks: readonly (readonly [name: string, check: (value: string, offset: number) => unknown])[] = [
  ['Via', parseVia],
  ['From', (value, offset) => parseNameAddress(value, 'From', offset)],
  ['To', (value, offset) => parseNameAddress(value, 'To', offset)],
  ['CSeq', parseCSeq],
  ['Contact', (value, offset) => (value === '*' ? undefined : parseNameAddress(value, 'Contact', offset))],
  ['Route', (value, offset) => parseNameAddress(value, 'Route', offset)],
  ['Record-Route', (value, offset) => parseNameAddress(value, 'Record-Route', offset)],
  ['Max-Forwards', checkMaxForwards],
];
const once: ReadonlySet<string> = new Set([
  'From',
  'To',
  'CSeq',
  'Call-ID',
  'Max-Forwards',
  'Content-Length',
]);

function faultOfHeaders(headers: SipHeaders, offset: number): Malformed | undefined {
  for (const [name, check] of checks) {
    for (const value of headers.getAll(name)) {
      const fault = check(value, offset);
      if (isMalformed(fault)) return fault;
    }
  }
  for (const name of once) {
    const values = headers.getAll(name);
    if (values.length > 1 && name !== 'Content-Length' && values.some((value) => value !== values[0]))
      return new Malformed(name, offset, 'RFC 3261 §7.3.1: this field may be present only once');
  }
  return undefined;
}

/** RFC 3261 §20.22: 0 … 255. */
function checkMaxForwards(value: string, offset: number): Malformed | undefined {
  return /^\d+$/.test(value) && Number(value) <= 255
    ? undefined
    : new Malformed('Max-Forwards', offset, 'RFC 3261 §20.22: a number from 0 to 255');
}

/** RFC 3261 §18.3: octets beyond Content-Length are dropped, missing ones are an error; without the field the datagram ends the body. */
function bodyLengthOf(headers: SipHeaders, available: number, offset: number): number | Malformed {
  const values = headers.getAll('Content-Length');
  if (values.length === 0) return available;
  const length = /^\d+$/.test(values[0]!) ? Number(values[0]) : Number.NaN;
  if (values.some((value) => value !== values[0]))
    return new Malformed('Content-Length', offset, 'RFC 3261 §20.14: one body has one length');
  return length <= available
    ? length
    : new Malformed('Content-Length', offset, 'RFC 3261 §18.3: no more than the octets that are there');
}

function createMessage(
  line: string,
  offset: number,
  headers: SipHeaders,
  body: string,
): SipMessage | Malformed {
  const status = statusLine.exec(line);
  if (status !== null) return new SipResponse(Number(status[1]), status[2]!, headers, body);
  const request = requestLine.exec(line);
  if (request === null)
    return new Malformed(
      'start-line',
      offset,
      'RFC 3261 §7.1, §7.2: method URI version, or version code reason',
    );
  const [, method = '', requestUri = '', version = ''] = request;
  if (/^sips?:/i.test(requestUri)) {
    const uri = parseSipUri(requestUri, offset + method.length + 1);
    if (isMalformed(uri)) return new Malformed('Request-URI', uri.offset, uri.rule);
  } else if (!/^[A-Za-z][A-Za-z0-9+\-.]*:/.test(requestUri))
    return new Malformed('Request-URI', offset + method.length + 1, 'RFC 3261 §25.1: SIP-URI or absoluteURI');
  return new SipRequest(method, requestUri, headers, body, version);
}
