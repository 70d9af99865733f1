/** The configuration file of `trimaran sip-server` (examples/sip-server.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { DigestAlgorithm } from '../../protocols/sip/authentication/digest-fields.ts';
import { duration, secret } from './configuration-values.ts';
import type { Secret } from './secret.ts';
import { type SipConfiguration, sipKeys } from './sip-values.ts';

export interface SipServerUserConfiguration {
  readonly name: string;
  readonly 'authentication-name'?: string | undefined;
  readonly password: Secret;
  readonly redirect?: boolean | undefined;
}

/** `hosts`: other domains and where they are. */
export interface SipServerConfiguration extends SipConfiguration {
  readonly domain: string;
  readonly users: readonly SipServerUserConfiguration[];
  readonly redirect: boolean;
  /** In challenges, best first. */
  readonly 'digest-algorithms': readonly DigestAlgorithm[];
  /** A user's calls from where the user is registered are not challenged. */
  readonly 'trust-registered-addresses': boolean;
  readonly 'shortest-registration': DurationMs;
  readonly 'longest-registration': DurationMs;
  readonly control?: string | undefined;
}

const user = z.strictObject({
  name: z.string().regex(/^[\w.!~*'()+-]+$/, 'the part of the SIP URI before the "@", such as bob'),
  'authentication-name': z.string().min(1).optional(),
  password: secret,
  redirect: z.boolean().optional(),
});

export const sipServerSchema: z.ZodType<SipServerConfiguration> = z.strictObject({
  domain: z
    .string()
    .regex(/^[\w.-]+$/, 'a domain, such as home.example')
    .toLowerCase(),
  ...sipKeys,
  users: z
    .array(user)
    .min(1)
    .max(100_000)
    .superRefine((users, context) => {
      for (const key of ['name', 'authentication-name'] as const) {
        const taken = new Set<string>();
        users.forEach((one, index) => {
          const value = one[key] ?? one.name;
          if (taken.has(value))
            context.addIssue({ code: 'custom', path: [index, key], message: `"${value}" is another user's` });
          taken.add(value);
        });
      }
    }),
  redirect: z.boolean().default(false),
  'trust-registered-addresses': z.boolean().default(false),
  'digest-algorithms': z
    .array(z.enum(['MD5', 'SHA-256', 'SHA-512-256']))
    .min(1)
    .default(['MD5']),
  'shortest-registration': duration.default(30_000),
  // RFC 3261 §10.2.1: an hour is what user agents ask for that have no opinion.
  'longest-registration': duration.default(3_600_000),
  control: z.string().optional(),
});
