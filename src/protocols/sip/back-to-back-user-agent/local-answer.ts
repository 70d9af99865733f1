/** Answers and requests that the owner of a call authors himself: what a user agent adds to them (RFC 3261 §13.2.1, §13.3.1.4). */
import type { Answer, IncomingRequest } from '../user-agent/incoming-request.ts';
import { contentOf, type HeaderField } from '../user-agent/message-content.ts';
import type { LocalAnswer } from './call-event.ts';
import { wantsReliability } from './relay.ts';

export const localHeaders: readonly HeaderField[] = [
  ['Allow', 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, MESSAGE'],
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
