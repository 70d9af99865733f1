/** When a request of ours that the peer could not take at the moment is sent again, and when it is no longer waited for. */
import type { DurationMs, Instant } from '../../../base/instant.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type { SipTimers } from '../transaction/timers.ts';
import { maxRetries } from './limits.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** Whether a request that was answered so goes out once more, if its leg lives. */
export function isTriedAgain(request: OutgoingRequest, response: SipResponse): boolean {
  const { method, isCancelled, isAbandoned, attempts } = request;
  const isWanted = !isCancelled && !isAbandoned && method !== 'BYE';
  return isWanted && attempts <= maxRetries && asksToTryAgain(response);
}

/** Glare, or what a 500 says of itself. */
function asksToTryAgain({ statusCode, headers }: SipResponse): boolean {
  return statusCode === 491 || (statusCode === 500 && headers.has('Retry-After'));
}

/** RFC 3261 §14.1 and RFC 3311 §5.3 for 491 (steps of 10 ms); the Retry-After itself for 500. */
export function retryDelayMs(response: SipResponse, isCaller: boolean, random: RandomSource): DurationMs {
  if (response.statusCode === 491)
    return isCaller ? 2_100 + 10 * randomBelow(random, 191) : 10 * randomBelow(random, 201);
  const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  return Number.isNaN(seconds) ? 1_000 : Math.min(seconds, 10) * 1_000;
}

/** Sent, sent again at least once, and still nothing is heard of it: the peer is perhaps not where it went. */
export function isOverdue(request: OutgoingRequest, timers: SipTimers, now: Instant): boolean {
  return request.state === 'sent' && !request.wasHeard && now >= request.sentAt + 2 * timers.t1Ms;
}

/** What a request that is given up is answered with here: whoever wanted it may try again. */
export function givenUpResponse(request: OutgoingRequest): SipResponse {
  const response = createResponse(request.request!, 500);
  response.headers.append('Retry-After', '2');
  return response;
}
