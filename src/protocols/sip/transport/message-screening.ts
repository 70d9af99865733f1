/**
 * What becomes of received octets before any transaction sees them (RFC 3261 §8.2, §16.3, §18.1.2, §18.3): a message that everything
 * above may rely on, an error answer that needs no state, or nothing.
 */
import { isMalformed, type Malformed } from '../../../base/malformed.ts';
import { createResponse } from '../message/create-response.ts';
import { toTagOf } from '../message/header-fields.ts';
import { parseNameAddress } from '../message/name-address.ts';
import { parseSipMessage } from '../message/parse-sip-message.ts';
import { requestRejection } from '../message/request-rejection.ts';
import type { SipHeaders } from '../message/sip-headers.ts';
import { type SipMessage, SipRequest, type SipResponse } from '../message/sip-message.ts';
import { parseVia } from '../message/via.ts';

export type ScreenedMessage =
  | { readonly kind: 'accepted'; readonly message: SipMessage }
  /** `request` is good enough to route `response` by. */
  | { readonly kind: 'refused'; readonly request: SipRequest; readonly response: SipResponse }
  | { readonly kind: 'dropped' };

const dropped: ScreenedMessage = { kind: 'dropped' };
const mandatoryFields = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

export function screenMessage(octets: Uint8Array): ScreenedMessage {
  const message = parseSipMessage(octets);
  if (isMalformed(message)) return screenMalformed(octets, message);
  if (message.kind === 'response')
    return mandatoryFields.every((name) => message.headers.has(name))
      ? { kind: 'accepted', message }
      : dropped;
  const rejection = requestRejection(message);
  if (rejection === undefined) return { kind: 'accepted', message };
  return refuse(message, rejection.statusCode, rejection.reasonPhrase);
}

/** An answer without a transaction; its To tag is a function of the request, so that every repetition gets the same (RFC 3261 §8.2.7). */
export function statelessResponse(
  request: SipRequest,
  statusCode: number,
  reasonPhrase?: string,
): SipResponse {
  const toTag = statelessToTag(request.headers);
  return createResponse(
    request,
    statusCode,
    reasonPhrase === undefined ? { toTag } : { toTag, reasonPhrase },
  );
}

/** Whether this is the ACK for an answer of `statelessResponse`. */
export function acknowledgesStatelessResponse(ack: SipRequest): boolean {
  return toTagOf(ack) === statelessToTag(ack.headers);
}

/** No ACK is ever answered, and without a Via nobody knows whom to answer. */
function refuse(request: SipRequest, statusCode: number, reasonPhrase: string): ScreenedMessage {
  if (request.method === 'ACK' || !request.headers.has('Via')) return dropped;
  const to = request.headers.get('To');
  // A To that cannot be read goes back as it came: a tag behind it would mean nothing.
  const takesTag = to !== undefined && !isMalformed(parseNameAddress(to));
  const response = takesTag
    ? statelessResponse(request, statusCode, reasonPhrase)
    : createResponse(request, statusCode, { reasonPhrase });
  return { kind: 'refused', request, response };
}

/** FNV-1a over what a repetition and an ACK have in common with the request. */
function statelessToTag(headers: SipHeaders): string {
  const text = `${headers
    .get('Via')
    ?.split(';')
    .find((part) => part.startsWith('branch='))} ${headers.get('Call-ID')}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return `stateless-${hash.toString(36)}`;
}

/** Reads from a broken request as much as an answer needs. */
function screenMalformed(octets: Uint8Array, malformed: Malformed): ScreenedMessage {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');
  const startLine = /^(?:\r\n)*([A-Za-z0-9\-.!%*_+`'~]+) [^\r\n]* SIP\/[\d.]+\r\n/i.exec(text);
  if (startLine === null) return dropped;
  const request = new SipRequest(startLine[1]!, '');
  const unfolded = text
    .slice(startLine[0].length)
    .split('\r\n\r\n', 1)[0]!
    .replace(/\r\n[ \t]+/g, ' ');
  for (const line of unfolded.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (isNeeded(name)) request.headers.append(name, line.slice(colon + 1).trim());
  }
  const via = request.headers.get('Via');
  if (via === undefined || isMalformed(parseVia(via))) return dropped;
  if (!mandatoryFields.every((name) => request.headers.has(name))) return dropped;
  return refuse(request, 400, `Bad ${malformed.field}`);
}

function isNeeded(name: string): boolean {
  return /^(?:v|via|f|from|t|to|i|call-id|cseq)$/i.test(name);
}
