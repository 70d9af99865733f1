/** The configuration file of `trimaran s-cscf` (examples/s-cscf.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import { duration } from './configuration-values.ts';
import { type CxConfiguration, cxSchema, journalDirectory } from './core-values.ts';
import { type SipConfiguration, sipKeys } from './sip-values.ts';

/** `hosts`: the home domain and each peer domain with its I-CSCF, and the hosts of application servers. */
export interface ServingCscfConfiguration extends SipConfiguration {
  /** Server-Name in Cx; absent: its SIP address. */
  readonly name?: string | undefined;
  /** Realm of digest challenges; the HSS must use the same. */
  readonly realm: string;
  readonly diameter: CxConfiguration;
  readonly 'authentication-scheme': (typeof schemes)[number];
  /** What users with a password are offered, the best first. */
  readonly 'digest-algorithms': readonly (typeof algorithms)[number][];
  readonly registration: RegistrationConfiguration;
  readonly 'application-server-timeout': DurationMs;
  readonly journal?: string | undefined;
  readonly control?: string | undefined;
}

export interface RegistrationConfiguration {
  readonly minimum: DurationMs;
  readonly maximum: DurationMs;
  readonly default: DurationMs;
  /** Several flows of one device (RFC 5626). */
  readonly outbound: boolean;
  /** What a new contact without reg-id does to the others of its device. */
  readonly 'new-contact': 'add' | 'replace';
}

const schemes = ['Unknown', 'SIP Digest', 'Digest-AKAv1-MD5', 'Digest-MD5'] as const;
const algorithms = ['SHA-512-256', 'SHA-256', 'MD5'] as const;

export const digestAlgorithms: z.ZodType<ServingCscfConfiguration['digest-algorithms']> = z
  .array(z.enum(algorithms))
  .min(1);

export const registrationSchema: z.ZodType<RegistrationConfiguration> = z.strictObject({
  minimum: duration.default(30_000),
  maximum: duration.default(600_000_000), // TS 24.229 §5.1.1.2: what a UE asks for
  default: duration.default(3_600_000), // RFC 3261 §10.2
  outbound: z.boolean().default(true),
  'new-contact': z.enum(['add', 'replace']).default('add'),
});

export const servingCscfSchema: z.ZodType<ServingCscfConfiguration> = z.strictObject({
  ...sipKeys,
  name: z.string().startsWith('sip:', 'must begin with sip:').optional(),
  realm: z.string().min(1),
  diameter: cxSchema,
  'authentication-scheme': z.enum(schemes).default('Unknown'),
  'digest-algorithms': digestAlgorithms.default(['MD5']),
  registration: registrationSchema.prefault({} as RegistrationConfiguration),
  'application-server-timeout': duration.default(5000),
  journal: journalDirectory,
  control: z.string().optional(),
});
