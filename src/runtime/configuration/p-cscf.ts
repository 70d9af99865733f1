/** The configuration file of `trimaran p-cscf` (examples/p-cscf.yaml). */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import { nameTable, transportAddress } from './configuration-values.ts';
import { journalDirectory } from './core-values.ts';
import { type TlsConfiguration, tlsSchema } from './tls-values.ts';

export interface ProxyCscfConfiguration {
  readonly sip: TransportAddress;
  /** P-Visited-Network-ID. */
  readonly 'visited-network': string;
  /** Each home domain with its I-CSCF, and other names that Route headers may hold. */
  readonly hosts: ReadonlyMap<string, TransportAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly dns?: boolean | undefined;
  /** Requests within a dialog from an address that nobody registered from. */
  readonly 'unregistered-in-dialog': 'forward' | 'refuse';
  /** Users may come by TLS, too. */
  readonly tls?: TlsConfiguration | undefined;
  readonly journal?: string | undefined;
  readonly control?: string | undefined;
}

export const proxyCscfSchema: z.ZodType<ProxyCscfConfiguration> = z.strictObject({
  sip: transportAddress,
  'visited-network': z.string().min(1),
  hosts: nameTable.refine((table) => table.size > 0, 'no home domain is named'),
  dns: z.boolean().optional(),
  'unregistered-in-dialog': z.enum(['forward', 'refuse']).default('refuse'),
  tls: tlsSchema.optional(),
  journal: journalDirectory,
  control: z.string().optional(),
});
