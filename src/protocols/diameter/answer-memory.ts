/**
 * Requests that a node has received, by End-to-End identifier and Origin-Host (RFC 6733 §3, §5.5.4): a duplicate, which is what a
 * failover makes of a request, gets the same answer again and is not carried out twice.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { type Avps, avpValue } from './avp.ts';
import { baseAvps } from './dictionary/base.ts';
import { answerMemoryMs, maximumRememberedAnswers } from './limits.ts';
import type { DiameterMessage } from './message.ts';

export interface RememberedRequest {
  readonly key: string;
  readonly id: number;
  readonly receivedAt: Instant;
  /** Absent while the request is being worked on. */
  answer?: Avps;
}

export class AnswerMemory {
  readonly #entries = new TurnoverMap<string, RememberedRequest>();
  /** The same in the order of arrival. */
  readonly #order = new Fifo<RememberedRequest>();

  /** What is known about the request; when nothing is, it is noted under `id`. */
  note(request: DiameterMessage, id: number, now: Instant): RememberedRequest {
    this.#forget(now);
    const key = keyOf(request);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const noted = { key, id, receivedAt: now };
    this.#entries.set(key, noted);
    this.#order.push(noted);
    return noted;
  }

  #forget(now: Instant): void {
    for (let oldest = this.#order.peek(); oldest !== undefined; oldest = this.#order.peek()) {
      const isOld = now - oldest.receivedAt >= answerMemoryMs;
      if (!isOld && this.#order.length < maximumRememberedAnswers) return;
      this.#order.shift();
      this.#entries.delete(oldest.key);
    }
  }
}

/** The command too: there are careless peers that count from 1 after each restart. */
function keyOf(request: DiameterMessage): string {
  const origin = avpValue(request.avps, baseAvps.originHost)?.toLowerCase() ?? '';
  return `${origin} ${request.commandCode} ${request.endToEndId}`;
}
