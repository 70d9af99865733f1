/** The configuration file of `trimaran mobile-node` (examples/mobile-node.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { duration, ipAddress, transportAddress } from './configuration-values.ts';
import {
  credentialKeys,
  credentialRule,
  hasOneCredential,
  type UserCredentials,
} from './user-credentials.ts';

export interface AccessConfiguration {
  readonly name: string;
  readonly interface: string;
  /** The router; absent: the default route of the interface. */
  readonly gateway?: string | undefined;
  readonly 'proxy-cscf': TransportAddress;
  /** P-Access-Network-Info, such as "IEEE-802.11". */
  readonly 'access-network-info'?: string | undefined;
}

export interface MobileNodeConfiguration {
  readonly identity: UserCredentials & {
    readonly public: string;
    readonly private: string;
    readonly 'home-domain': string;
    readonly instance: string;
    readonly expires: DurationMs;
  };
  readonly 'internal-address': string;
  readonly 'application-port': number;
  readonly 'signalling-port': number;
  /** Most preferred first. */
  readonly accesses: readonly AccessConfiguration[];
  readonly reservation: boolean;
  readonly 'grace-time': DurationMs;
  readonly 'release-after': DurationMs;
  readonly control: string;
}

const port = z.number().int().min(1).max(65_535);

export const mobileNodeSchema: z.ZodType<MobileNodeConfiguration> = z.strictObject({
  identity: z
    .strictObject({
      public: z
        .string()
        .regex(/^sip:[^@\s]+@[^@\s]+$/, 'a SIP URI with a user name, such as sip:bob@home1.example'),
      private: z.string().min(1),
      ...credentialKeys,
      'home-domain': z.string().min(1),
      instance: z
        .string()
        .regex(/^urn:uuid:[0-9a-f-]{36}$/i, 'a UUID as URN (RFC 5626), such as urn:uuid:… from uuidgen'),
      expires: duration.default(600_000),
    })
    .refine(hasOneCredential, credentialRule),
  'internal-address': ipAddress.default('10.64.0.1'),
  'application-port': port.default(5070),
  'signalling-port': port.default(5060),
  accesses: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        interface: z.string().min(1).max(15),
        gateway: ipAddress.optional(),
        'proxy-cscf': transportAddress,
        'access-network-info': z.string().min(1).optional(),
      }),
    )
    .min(1)
    .max(127)
    .refine(areDistinct, 'two accesses have the same name or interface'),
  reservation: z.boolean().default(false),
  'grace-time': duration.default(32_000),
  'release-after': duration.default(10_000),
  control: z.string().default('/run/trimaran/mobile-node.sock'),
});

function areDistinct(accesses: readonly { readonly name: string; readonly interface: string }[]): boolean {
  const [names, links] = [accesses.map(({ name }) => name), accesses.map((access) => access.interface)];
  return new Set(names).size === names.length && new Set(links).size === links.length;
}
