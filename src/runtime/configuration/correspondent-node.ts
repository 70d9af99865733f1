/** The configuration file of `trimaran correspondent-node` (examples/correspondent-node.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { TerminalMedium } from '../../correspondent-node/terminal-description.ts';
import { duration, ipAddress, sessionInterval, transportAddress } from './configuration-values.ts';
import { type TlsUserConfiguration, tlsUserSchema } from './tls-values.ts';
import {
  credentialKeys,
  credentialRule,
  hasOneCredential,
  type UserCredentials,
} from './user-credentials.ts';

export interface CorrespondentNodeConfiguration {
  readonly sip: TransportAddress;
  readonly 'media-address'?: string | undefined;
  readonly identity: UserCredentials & {
    readonly public: string;
    readonly private: string;
    readonly 'home-domain': string;
    readonly expires: DurationMs;
  };
  readonly register: boolean;
  readonly 'outbound-proxy': TransportAddress;
  readonly media: readonly TerminalMedium[];
  readonly reservation: boolean;
  readonly ring: DurationMs;
  readonly 'session-interval'?: DurationMs | undefined;
  /** All of its SIP goes by TLS. */
  readonly tls?: TlsUserConfiguration | undefined;
  readonly control?: string | undefined;
}

const medium = z.strictObject({
  media: z.enum(['audio', 'video', 'application']),
  transport: z.enum(['udp', 'tcp']),
  port: z.number().int().min(1).max(65_535),
  setup: z.enum(['active', 'passive', 'actpass']).optional(),
  formats: z
    .array(z.string().regex(/^\d{1,3}$/, 'an RTP payload type, such as "8"'))
    .min(1)
    .optional(),
});

export const terminalIdentity: z.ZodType<CorrespondentNodeConfiguration['identity']> = z
  .strictObject({
    public: z
      .string()
      .regex(/^sip:[^@\s]+@[^@\s]+$/, 'a SIP URI with a user name, such as sip:alice@home1.example'),
    private: z.string().min(1),
    ...credentialKeys,
    'home-domain': z.string().min(1),
    expires: duration.default(600_000),
  })
  .refine(hasOneCredential, credentialRule);

export const correspondentNodeSchema: z.ZodType<CorrespondentNodeConfiguration> = z.strictObject({
  sip: transportAddress,
  'media-address': ipAddress.optional(),
  identity: terminalIdentity,
  register: z.boolean().default(true),
  'outbound-proxy': transportAddress,
  media: z
    .array(medium as unknown as z.ZodType<TerminalMedium>)
    .min(1)
    .max(16),
  reservation: z.boolean().default(false),
  ring: duration.default(0),
  'session-interval': sessionInterval.optional(),
  tls: tlsUserSchema.optional(),
  control: z.string().optional(),
});
