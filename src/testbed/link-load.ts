/**
 * What others' traffic makes of an access network (MIP–SIP §3: "when performance of an access technology degrades"): its rate shrinks, its
 * delay and jitter grow, in one step or along a ramp. A ramp that is repeated is a saw-tooth. No packets of others are made: a shared
 * medium shows them to one terminal as rate and delay alone.
 */
import { z } from 'zod';
import type { AccessProfile } from '../access-network/access-profiles.ts';
import type { LinkCharacteristics } from '../access-network/link-characteristics.ts';
import type { DurationMs } from '../base/instant.ts';
import { duration } from '../runtime/configuration/configuration-values.ts';

/** "1.5Mbit/s" in bit/s. */
export const rate: z.ZodType<number> = z
  .string({ error: 'a rate is written with its unit, such as 500kbit/s or 1.5Mbit/s' })
  .transform((text, context) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?) ?(bit|kbit|Mbit|Gbit)\/s$/.exec(text) ?? [];
    const factor = { bit: 1, kbit: 1e3, Mbit: 1e6, Gbit: 1e9 }[unit ?? ''];
    if (factor !== undefined) return Number(number) * factor;
    context.addIssue(`"${text}" is not a rate, such as 500kbit/s or 1.5Mbit/s`);
    return z.NEVER;
  });

/** What a scenario says of one direction in other words than the profile. */
export interface LinkOverride {
  readonly rate?: number | undefined;
  readonly delay?: DurationMs | undefined;
  readonly jitter?: DurationMs | undefined;
  readonly loss?: number | undefined;
}

export const linkOverride: z.ZodType<LinkOverride> = z.strictObject({
  rate: rate.optional(),
  delay: duration.optional(),
  jitter: duration.optional(),
  loss: z.number().min(0).max(1).optional(),
});

export function overridden(link: LinkCharacteristics, override: LinkOverride = {}): LinkCharacteristics {
  const { rate: rateBitsPerSecond, delay, jitter, loss } = override;
  return {
    ...link,
    ...(rateBitsPerSecond !== undefined && { rateBitsPerSecond }),
    ...(delay !== undefined && { delayMs: delay }),
    ...(jitter !== undefined && { jitterMs: jitter }),
    ...(loss !== undefined && { loss: { kind: 'independent', probability: loss } }),
  };
}

/** Finer than any probe interval, coarse enough for the longest run. */
const rampStepMs: DurationMs = 100;

/** From the profile as it is without load to what it becomes, in both directions, at equal steps; only the first has something to say. */
export function ramp(
  profile: AccessProfile,
  becomes: LinkOverride,
  overMs: DurationMs,
): { readonly afterMs: DurationMs; readonly profile: AccessProfile; readonly note: string | undefined }[] {
  const steps = Math.max(1, Math.round(overMs / rampStepMs));
  const isWithoutLoad = Object.keys(becomes).length === 0;
  return Array.from({ length: steps }, (_, index) => {
    const share = (index + 1) / steps;
    return {
      afterMs: index * (overMs / steps),
      profile: {
        ...profile,
        uplink: between(profile.uplink, overridden(profile.uplink, becomes), share),
        downlink: between(profile.downlink, overridden(profile.downlink, becomes), share),
      },
      note: index > 0 ? undefined : isWithoutLoad ? 'is without load again' : 'comes under load',
    };
  });
}

function between(from: LinkCharacteristics, to: LinkCharacteristics, share: number): LinkCharacteristics {
  const mix = (a: number, b: number): number => a + (b - a) * share;
  const rates = [from.rateBitsPerSecond, to.rateBitsPerSecond] as const;
  return {
    ...to,
    ...(rates[0] !== undefined && rates[1] !== undefined && { rateBitsPerSecond: mix(rates[0], rates[1]) }),
    delayMs: mix(from.delayMs, to.delayMs),
    jitterMs: mix(from.jitterMs, to.jitterMs),
  };
}
