/**
 * Dialogs that have ended, by their names alone: a BYE that crossed ours is still answered with 200 and Replaces declined with 603
 * (RFC 3261 §15.1.2, RFC 3891 §3). They are remembered for twice 64·T1, as long as transactions and their repetitions may last, or up to a
 * sixteenth of that longer: those of a sixteenth are given up together.
 */
import type { DurationMs, Instant } from '../../../base/instant.ts';
import { textHash } from '../../../base/text-hash.ts';
import type { Dialog } from '../dialog/dialog.ts';
import { maxEndedDialogs } from './limits.ts';

const generations = 16;

type DialogName = Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'>;

interface Generation {
  /** Until when dialogs are added. */
  readonly turnAt: Instant;
  /**
   * By our tag, which no two dialogs share, a hash of the rest of the name. There are so many that each is to be kept without an object: 30 bits
   * are a number that needs none.
   */
  readonly rests: Map<string, number>;
}

export class EndedDialogs {
  readonly #lifetimeMs: DurationMs;
  /** The oldest first. */
  readonly #generations: Generation[] = [];

  constructor(lifetimeMs: DurationMs) {
    this.#lifetimeMs = lifetimeMs;
  }

  add({ callId, localTag, remoteTag }: DialogName, now: Instant): void {
    this.#present(now).rests.set(localTag, restOf(callId, remoteTag));
  }

  has(callId: string, localTag: string, remoteTag: string, now: Instant): boolean {
    this.#giveUpOld(now);
    const rest = restOf(callId, remoteTag);
    return this.#generations.some(({ rests }) => rests.get(localTag) === rest);
  }

  #present(now: Instant): Generation {
    const last = this.#generations.at(-1);
    if (last !== undefined && now < last.turnAt && last.rests.size < maxEndedDialogs / generations)
      return last;
    this.#giveUpOld(now);
    if (this.#generations.length > generations) this.#generations.shift();
    const next = { turnAt: now + this.#lifetimeMs / generations, rests: new Map<string, number>() };
    this.#generations.push(next);
    return next;
  }

  #giveUpOld(now: Instant): void {
    while (this.#generations[0] !== undefined && now >= this.#generations[0].turnAt + this.#lifetimeMs)
      this.#generations.shift();
  }
}

function restOf(callId: string, remoteTag: string): number {
  return textHash(`${callId} ${remoteTag}`) >>> 2;
}
