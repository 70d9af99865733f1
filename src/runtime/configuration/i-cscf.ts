/** The configuration file of `trimaran i-cscf` (examples/i-cscf.yaml). */
import { z } from 'zod';
import type { ServerCapabilities } from '../../ims-core/i-cscf/server-selection.ts';
import { type CxConfiguration, cxSchema } from './core-values.ts';
import { type SipConfiguration, sipKeys } from './sip-values.ts';

/** `hosts`: those that stand in the names of S-CSCFs. */
export interface InterrogatingCscfConfiguration extends SipConfiguration {
  /** The home domains. */
  readonly domains: readonly string[];
  readonly diameter: CxConfiguration;
  /** Those that a user may be given to, with what the operator says they can do. */
  readonly 's-cscfs': readonly ServerCapabilities[];
  readonly control?: string | undefined;
}

export const interrogatingCscfSchema: z.ZodType<InterrogatingCscfConfiguration> = z.strictObject({
  ...sipKeys,
  domains: z.array(z.string().min(1).toLowerCase()).min(1),
  diameter: cxSchema,
  's-cscfs': z
    .array(
      z.strictObject({
        name: z.string().startsWith('sip:', 'must begin with sip:'),
        capabilities: z.array(z.number().int().min(0)).default([]),
      }),
    )
    .min(1),
  control: z.string().optional(),
});
