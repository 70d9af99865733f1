/** Answers and requests that the owner of a call authors himself: what a user agent adds to them (RFC 3261 §13.2.1, §13.3.1.4). */

import { createResponse } from '../message/create-response.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { Answer, IncomingRequest } from '../user-agent/incoming-request.ts';
import { contentOf, type HeaderField } from '../user-agent/message-content.ts';
import type { LocalAnswer } from './call-event.ts';
import { wantsReliability } from './relay.ts';

/** Of a call; all are passed on. */
const methods = 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, MESSAGE, REFER, NOTIFY';

export const localHeaders: readonly HeaderField[] = [
  ['Allow', methods],
  ['Supported', '100rel, replaces, timer'],
];

export function toAnswer(answer: LocalAnswer, incoming: IncomingRequest): Answer {
  const { statusCode, reasonPhrase, body, headers } = answer;
  const base = statusCode >= 200 && statusCode < 300 ? localHeaders : [];
  const hasSessionDescription = body !== undefined && body !== '';
  const isReliable =
    statusCode < 200 && wantsReliability(incoming.request, answer.reliable ?? hasSessionDescription);
  return {
    statusCode,
    reasonPhrase,
    content: contentOf(body, headers, base),
    isReliable,
    hasSessionDescription,
  };
}

/** To a request outside of calls from who registers here: OPTIONS is told what goes, any other is refused. */
export function answerOutsideCalls(request: SipRequest): SipResponse {
  const response = createResponse(request, request.method === 'OPTIONS' ? 200 : 405);
  response.headers.set('Allow', `${methods}, REGISTER`);
  return response;
}
