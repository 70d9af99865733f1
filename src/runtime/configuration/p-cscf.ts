/** The configuration file of `trimaran p-cscf` (examples/p-cscf.yaml). */
import { z } from 'zod';
import { journalDirectory } from './core-values.ts';
import { hostTable, type SipConfiguration, sipKeys } from './sip-values.ts';

/** `hosts`: each home domain with its I-CSCF, and other names that Route headers may hold. */
export interface ProxyCscfConfiguration extends SipConfiguration {
  /** P-Visited-Network-ID. */
  readonly 'visited-network': string;
  /** Requests within a dialog from an address that nobody registered from. */
  readonly 'unregistered-in-dialog': 'forward' | 'refuse';
  readonly journal?: string | undefined;
  readonly control?: string | undefined;
}

export const proxyCscfSchema: z.ZodType<ProxyCscfConfiguration> = z.strictObject({
  ...sipKeys,
  'visited-network': z.string().min(1),
  hosts: hostTable.refine((table) => table.size > 0, 'no home domain is named'),
  'unregistered-in-dialog': z.enum(['forward', 'refuse']).default('refuse'),
  journal: journalDirectory,
  control: z.string().optional(),
});
