/** The configuration file of `trimaran trim-as` (examples/trim-as.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { duration, sessionInterval, transportAddress } from './configuration-values.ts';
import { type SipConfiguration, sipKeys } from './sip-values.ts';

export interface TrimAsConfiguration extends SipConfiguration {
  /** DiameterIdentity and realm of this application server. */
  readonly identity: string;
  readonly realm: string;
  readonly translators: readonly {
    readonly identity: string;
    readonly address: TransportAddress;
    readonly weight: number;
  }[];
  readonly 'grace-time': DurationMs;
  readonly 'maximum-sessions': number;
  readonly watchdog: DurationMs;
  readonly reconnect: DurationMs;
  readonly 'request-timeout': DurationMs;
  readonly 'session-interval'?: DurationMs | undefined;
  readonly control?: string | undefined;
}

export const trimAsSchema: z.ZodType<TrimAsConfiguration> = z.strictObject({
  ...sipKeys,
  identity: z.string().min(1),
  realm: z.string().min(1),
  translators: z
    .array(
      z.strictObject({
        identity: z.string().min(1),
        address: transportAddress,
        weight: z.number().positive().default(1),
      }),
    )
    .min(1),
  'grace-time': duration
    .default(32_000)
    .refine((ms) => ms >= 32_000, 'at least 32s: an INVITE may take that long (RFC 3261, 64·T1)'),
  'maximum-sessions': z.number().int().positive().default(100_000),
  // RFC 3539 §3.4.1: not below 6 s. A translator that hangs is found after two of them.
  watchdog: duration.default(6000).refine((ms) => ms >= 6000, 'at least 6s (RFC 3539)'),
  reconnect: duration.default(5000),
  // A caller waits while the next translator is tried.
  'request-timeout': duration.default(2000),
  'session-interval': sessionInterval.optional(),
  control: z.string().optional(),
});
