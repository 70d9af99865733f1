/** Which of the final responses of all branches goes upstream (RFC 3261 §16.7 items 6 and 7). */
import { createResponse } from '../message/create-response.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';

/** These say what the caller has to change, so within their class they go first. */
const helpfulCodes: readonly number[] = [401, 407, 415, 420, 484];

/**
 * A 6xx, else one of the lowest class. Challenges of all branches are gathered in it. 503 would tell the caller to avoid this proxy,
 * so it becomes 500.
 */
export function chooseBestResponse(request: SipRequest, responses: readonly SipResponse[]): SipResponse {
  const ranked = [...responses].sort((a, b) => rankOf(a.statusCode) - rankOf(b.statusCode));
  const best = ranked[0];
  if (best === undefined) return createResponse(request, 480);
  if (best.statusCode === 503) return createResponse(request, 500);
  const isChallenge = best.statusCode === 401 || best.statusCode === 407;
  return isChallenge ? withChallengesOf(best, responses) : best;
}

function rankOf(statusCode: number): number {
  if (statusCode >= 600) return 0;
  const isMinor = statusCode === 503 || (statusCode < 500 && !helpfulCodes.includes(statusCode));
  return Math.floor(statusCode / 100) + (isMinor ? 0.5 : 0);
}

function withChallengesOf(best: SipResponse, responses: readonly SipResponse[]): SipResponse {
  const merged = best.clone();
  for (const other of responses) {
    if (other === best || (other.statusCode !== 401 && other.statusCode !== 407)) continue;
    for (const name of ['WWW-Authenticate', 'Proxy-Authenticate'])
      for (const challenge of other.headers.getAll(name)) merged.headers.append(name, challenge);
  }
  return merged;
}
