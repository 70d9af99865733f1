/** The configuration file of `trimaran p-cscf` (examples/p-cscf.yaml). */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import { type AccessNetwork, parsePrefix } from '../../ims-core/p-cscf/access-networks.ts';
import { transportAddress } from './configuration-values.ts';
import { journalDirectory } from './core-values.ts';
import { hostTable, type SipConfiguration, sipKeys } from './sip-values.ts';

/** `hosts`: each home domain with its I-CSCF, and other names that Route headers may hold. */
export interface ProxyCscfConfiguration extends SipConfiguration {
  /** Where it is to users besides `sip`, at which the core finds it: of the other version of IP, for accesses that have nothing else. */
  readonly 'further-addresses': readonly TransportAddress[];
  /** P-Visited-Network-ID. */
  readonly 'visited-network': string;
  /** Which accesses users come from, for P-Access-Network-Info with network-provided. */
  readonly 'access-networks': readonly AccessNetwork[];
  /** Requests within a dialog from an address that nobody registered from. */
  readonly 'unregistered-in-dialog': 'forward' | 'refuse';
  readonly journal?: string | undefined;
  readonly control?: string | undefined;
}

export const furtherAddresses: z.ZodType<readonly TransportAddress[], string[] | undefined> = z
  .array(transportAddress)
  .max(8)
  .default([]);

export const proxyCscfSchema: z.ZodType<ProxyCscfConfiguration> = z.strictObject({
  ...sipKeys,
  'further-addresses': furtherAddresses,
  'visited-network': z.string().min(1),
  hosts: hostTable.refine((table) => table.size > 0, 'no home domain is named'),
  'access-networks': z
    .array(
      z.strictObject({
        prefix: z
          .string()
          .refine(
            (text) => parsePrefix(text) !== undefined,
            'a prefix, such as 10.1.0.0/24 or 2001:db8:1::/48',
          ),
        info: z.string().regex(/^[\w.+-]+(;[^,;]+)*$/, 'an access type of RFC 7315, such as IEEE-802.11'),
      }),
    )
    .default([]),
  'unregistered-in-dialog': z.enum(['forward', 'refuse']).default('refuse'),
  journal: journalDirectory,
  control: z.string().optional(),
});
