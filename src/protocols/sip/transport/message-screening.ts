/**
 * What becomes of received octets before any transaction sees them (RFC 3261 §8.2, §16.3, §18.1.2, §18.3): a message that everything
 * above may rely on, an error answer that needs no state, or nothing.
 */
import { isMalformed, type Malformed } from '../../../base/malformed.ts';
import { textHash } from '../../../base/text-hash.ts';
import { createResponse } from '../message/create-response.ts';
import { toTagOf } from '../message/header-fields.ts';
import { headerNameOf } from '../message/header-names.ts';
import { malformedRejection } from '../message/malformed-rejection.ts';
import { parseSipMessage } from '../message/parse-sip-message.ts';
import { type Rejection, requestRejection } from '../message/request-rejection.ts';
import type { SipHeaders } from '../message/sip-headers.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/sip-message.ts';

export type ScreenedMessage =
  | { readonly kind: 'accepted'; readonly message: SipMessage }
  | { readonly kind: 'refused'; readonly response: SipResponse }
  | { readonly kind: 'dropped' };

const dropped: ScreenedMessage = { kind: 'dropped' };
const statelessTag = 'stateless-';
const mandatoryFields = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(headerNameOf);

export function screenMessage(octets: Uint8Array): ScreenedMessage {
  const message = parseSipMessage(octets);
  if (isMalformed(message)) return screenMalformed(octets, message);
  if (message.kind === 'response')
    return mandatoryFields.every((name) => message.headers.has(name))
      ? { kind: 'accepted', message }
      : dropped;
  const rejection = requestRejection(message);
  if (rejection === undefined) return { kind: 'accepted', message };
  return refuse(message, rejection);
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
  const toTag = toTagOf(ack);
  return toTag?.startsWith(statelessTag) === true && toTag === statelessToTag(ack.headers);
}

/** The second look gives the answer the tag that the first one shows to be right. */
function screenMalformed(octets: Uint8Array, malformed: Malformed): ScreenedMessage {
  const untagged = malformedRejection(octets, malformed);
  if (untagged === undefined) return dropped;
  const response = malformedRejection(octets, malformed, { toTag: statelessToTag(untagged.headers) });
  return response === undefined ? dropped : { kind: 'refused', response };
}

/** No ACK is ever answered, and without a Via nobody knows whom to answer. */
function refuse(request: SipRequest, { statusCode, reasonPhrase }: Rejection): ScreenedMessage {
  if (request.method === 'ACK' || !request.headers.has('Via')) return dropped;
  const response = request.headers.has('To')
    ? statelessResponse(request, statusCode, reasonPhrase)
    : createResponse(request, statusCode, { reasonPhrase });
  return { kind: 'refused', response };
}

/** From what a repetition and an ACK have in common with the request. */
function statelessToTag(headers: SipHeaders): string {
  const text = `${headers
    .get('Via')
    ?.split(';')
    .find((part) => part.startsWith('branch='))} ${headers.get('Call-ID')}`;
  return `stateless-${textHash(text).toString(36)}`;
}
