/** The configuration file of `trimaran hss` (examples/hss.yaml). */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import { transportAddress } from './configuration-values.ts';
import { diameterIdentity, journalDirectory } from './core-values.ts';
import { type SubscriberConfiguration, subscribersSchema } from './subscribers.ts';

export interface HomeSubscriberServerConfiguration {
  /** Diameter, TCP. */
  readonly listen: TransportAddress;
  readonly identity: string;
  readonly realm: string;
  /** Realm of digest challenges; absent: that of Diameter. */
  readonly 'digest-realm'?: string | undefined;
  /** The DiameterIdentities of the CSCFs that may ask. */
  readonly cscfs: readonly string[];
  readonly subscribers: readonly SubscriberConfiguration[];
  readonly journal?: string | undefined;
  readonly control?: string | undefined;
}

export const homeSubscriberServerSchema: z.ZodType<HomeSubscriberServerConfiguration> = z.strictObject({
  listen: transportAddress,
  identity: diameterIdentity,
  realm: diameterIdentity,
  'digest-realm': z.string().min(1).optional(),
  cscfs: z.array(diameterIdentity).min(1),
  subscribers: subscribersSchema,
  journal: journalDirectory,
  control: z.string().optional(),
});
