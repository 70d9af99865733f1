/** The configuration file of `trimaran i-cscf` (examples/i-cscf.yaml). */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import type { ServerCapabilities } from '../../ims-core/i-cscf/server-selection.ts';
import { nameTable, transportAddress } from './configuration-values.ts';
import { type CxConfiguration, cxSchema } from './core-values.ts';

export interface InterrogatingCscfConfiguration {
  readonly sip: TransportAddress;
  /** The home domains. */
  readonly domains: readonly string[];
  readonly diameter: CxConfiguration;
  /** Those that a user may be given to, with what the operator says they can do. */
  readonly 's-cscfs': readonly ServerCapabilities[];
  /** The hosts that stand in the names of S-CSCFs. */
  readonly hosts: ReadonlyMap<string, TransportAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly dns?: boolean | undefined;
  readonly control?: string | undefined;
}

export const interrogatingCscfSchema: z.ZodType<InterrogatingCscfConfiguration> = z.strictObject({
  sip: transportAddress,
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
  hosts: nameTable.default(new Map()),
  dns: z.boolean().optional(),
  control: z.string().optional(),
});
