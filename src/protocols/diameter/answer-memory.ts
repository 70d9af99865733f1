/**
 * Requests that a node has received, by End-to-End identifier and Origin-Host (RFC 6733 §3, §5.5.4): a duplicate, which is what a
 * failover makes of a request, gets the same answer again and is not carried out twice.
 */
import type { Instant } from '../../base/instant.ts';
import { type Avp, avpValue } from './avp.ts';
import { baseAvps } from './dictionary/base.ts';
import { answerMemoryMs, maximumRememberedAnswers } from './limits.ts';
import type { DiameterMessage } from './message.ts';

export interface RememberedRequest {
  readonly id: number;
  readonly receivedAt: Instant;
  /** Absent while the request is being worked on. */
  answer?: readonly Avp[];
}

export class AnswerMemory {
  /** In the order of arrival, so that the oldest come first. */
  readonly #entries = new Map<string, RememberedRequest>();

  /** What is known about the request; when nothing is, it is noted under `id`. */
  note(request: DiameterMessage, id: number, now: Instant): RememberedRequest | undefined {
    this.#forget(now);
    const key = keyOf(request);
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { id, receivedAt: now });
    return known;
  }

  answered(request: DiameterMessage, answer: readonly Avp[]): void {
    const entry = this.#entries.get(keyOf(request));
    if (entry !== undefined) entry.answer = answer;
  }

  #forget(now: Instant): void {
    for (const [key, { receivedAt }] of this.#entries) {
      const isOld = now - receivedAt >= answerMemoryMs;
      if (!isOld && this.#entries.size < maximumRememberedAnswers) return;
      this.#entries.delete(key);
    }
  }
}

/** The command too: there are careless peers that count from 1 after each restart. */
function keyOf(request: DiameterMessage): string {
  const origin = avpValue(request.avps, baseAvps.originHost)?.toLowerCase() ?? '';
  return `${origin} ${request.commandCode} ${request.endToEndId}`;
}
