/**
 * Decides for each packet in turn whether the link loses it: never, independently, or in bursts by the two-state chain of Gilbert and
 * Elliott, whose state moves once per packet and before that packet's own draw.
 */
import { type RandomSource, randomFraction } from '../base/random-source.ts';
import type { LossModel } from './link-characteristics.ts';

export class LossProcess {
  readonly #random: RandomSource;
  #isBad = false;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** The model may change from packet to packet; the state of the chain is kept. */
  isNextLost(model: LossModel): boolean {
    switch (model.kind) {
      case 'none':
        return false;
      case 'independent':
        return randomFraction(this.#random) < model.probability;
      case 'gilbert-elliott': {
        const leave = this.#isBad ? model.badToGood : model.goodToBad;
        if (randomFraction(this.#random) < leave) this.#isBad = !this.#isBad;
        return randomFraction(this.#random) < (this.#isBad ? model.lossInBad : model.lossInGood);
      }
    }
  }
}
