/**
 * Who shapes the access links of a run (TRIM fig. 7): netem where the kernel has it and serves all that the scenario asks of the link, and
 * the emulator of our own elsewhere. A link that changes in the course of a run is the emulator's: netem would let what waits at that moment
 * go by the former rate and delay.
 */
import type { LinkCharacteristics } from '../access-network/link-characteristics.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import { reasonAgainstNetem } from '../drivers/linux/netem.ts';
import type { Scenario } from './scenario.ts';

export interface LinkShaping {
  readonly link: string;
  readonly by: 'netem' | 'emulator';
  /** In a few words. */
  readonly reason: string;
}

/** Throws NO_NETEM when the scenario wants netem and it is not there, or would behave in another way. */
export function chooseShaping(
  { accesses, timeline, links }: Pick<Scenario, 'accesses' | 'timeline' | 'links'>,
  hasNetem: () => boolean,
): LinkShaping[] {
  const all = (by: LinkShaping['by'], reason: string): LinkShaping[] =>
    accesses.map(({ name }) => ({ link: name, by, reason }));
  if (links === 'emulator') return all('emulator', 'asked for');
  if (!hasNetem()) {
    if (links === 'netem') throw refusal('this kernel has no netem', 'Load the module sch_netem.');
    return all('emulator', 'the kernel has no netem');
  }
  return accesses.map(({ name, profile }) => {
    const against = reasonAgainst([profile.uplink, profile.downlink]);
    if (links === 'netem') {
      if (against === undefined) return { link: name, by: 'netem', reason: 'asked for' };
      throw refusal(
        `netem cannot be the link "${name}": ${against}`,
        'Leave it to the emulator (links: auto).',
      );
    }
    const changes = timeline.some(({ action }) => action.kind === 'change' && action.access === name);
    const reason = against ?? (changes ? 'the run changes it' : undefined);
    return reason === undefined
      ? { link: name, by: 'netem', reason: 'the kernel has it' }
      : { link: name, by: 'emulator', reason };
  });
}

function reasonAgainst(directions: readonly LinkCharacteristics[]): string | undefined {
  return directions.map(reasonAgainstNetem).find((reason) => reason !== undefined);
}

function refusal(message: string, remedy: string): TrimaranError {
  return new TrimaranError('NO_NETEM', message, { remedy });
}
