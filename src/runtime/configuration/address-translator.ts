/** The configuration file of `trimaran address-translator` (examples in its `--help`). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { defaultMaximumSessions } from '../../home-network/address-translator/limits.ts';
import { duration, ipAddress, transportAddress } from './configuration-values.ts';

const port = z.number().int().min(1024).max(65_535);

export interface AddressTranslatorConfiguration {
  /** DiameterIdentity and realm of this translator. */
  readonly identity: string;
  readonly realm: string;
  readonly listen: TransportAddress;
  /** The DiameterIdentities of the TRIM application servers that may ask for bindings. */
  readonly controllers: readonly string[];
  readonly pool: {
    readonly addresses: readonly string[];
    readonly 'first-port': number;
    readonly 'last-port': number;
  };
  readonly 'maximum-sessions': number;
  readonly 'grace-time'?: DurationMs | undefined;
  readonly 'controller-grace-time'?: DurationMs | undefined;
  /** Tells translators of one machine apart. */
  readonly instance: string;
  readonly control?: string | undefined;
}

export const addressTranslatorSchema: z.ZodType<AddressTranslatorConfiguration> = z.strictObject({
  identity: z.string().min(1),
  realm: z.string().min(1),
  listen: transportAddress,
  controllers: z.array(z.string().min(1)).min(1),
  pool: z.strictObject({
    addresses: z.array(ipAddress).min(1),
    'first-port': port.default(16_384),
    'last-port': port.default(65_535),
  }),
  'maximum-sessions': z.number().int().positive().max(1_000_000).default(defaultMaximumSessions),
  'grace-time': duration.optional(),
  'controller-grace-time': duration.optional(),
  instance: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'letters, digits, dashes and underscores only')
    .default('home'),
  control: z.string().optional(),
});
