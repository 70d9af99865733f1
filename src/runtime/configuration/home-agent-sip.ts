/** What the home agent's configuration says of SIP: users whose contact is the care-of address (MIP–SIP fig. 2), and where their passwords are. */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import { secret, transportAddress } from './configuration-values.ts';
import { ipv4Address } from './mobile-ip-values.ts';
import type { Secret } from './secret.ts';

export interface SipAccountConfiguration {
  readonly 'home-address': string;
  readonly public: string;
  /** The user name of Digest; absent: what stands before the "@". */
  readonly private?: string | undefined;
  readonly password: Secret;
  /** Where the mobile node listens for SIP on its care-of addresses. */
  readonly 'contact-port': number;
}

/** Written by `trimaran home-agent-accounts`. */
export interface AccountStoreConfiguration {
  readonly file: string;
  readonly key: string;
}

export interface SipFunctionConfiguration {
  /** Of the home agent as a SIP proxy. */
  readonly sip: TransportAddress;
  /** Registrar and proxy of the users' domains. */
  readonly registrar: TransportAddress;
  readonly accounts: readonly SipAccountConfiguration[];
  readonly 'account-store'?: AccountStoreConfiguration | undefined;
}

export const sipAddressOfRecord: z.ZodType<string> = z
  .string()
  .regex(/^sip:[^@\s]+@[^@\s]+$/, 'a SIP URI with a user name, such as sip:bob@home.example');

export const contactPort: z.ZodType<number> = z.number().int().min(1).max(65_535);

export const sipFunction: z.ZodType<SipFunctionConfiguration> = z.strictObject({
  sip: transportAddress,
  registrar: transportAddress,
  accounts: z
    .array(
      z.strictObject({
        'home-address': ipv4Address,
        public: sipAddressOfRecord,
        private: z.string().min(1).optional(),
        password: secret,
        'contact-port': contactPort.default(5060),
      }),
    )
    .max(100_000)
    .default([]),
  'account-store': z.strictObject({ file: z.string().min(1), key: z.string().min(1) }).optional(),
});

interface Configuration {
  readonly 'mobile-nodes': readonly { readonly 'home-address': string }[];
  readonly 'sip-registration'?: SipFunctionConfiguration | undefined;
}

export function checkSipAccounts(configuration: Configuration, context: z.RefinementCtx): void {
  const sip = configuration['sip-registration'];
  if (sip === undefined) return;
  const known = new Set(configuration['mobile-nodes'].map((node) => node['home-address']));
  const taken = new Set<string>();
  sip.accounts.forEach(({ 'home-address': homeAddress }, index) => {
    const refuse = (message: string): void =>
      context.addIssue({
        code: 'custom',
        path: ['sip-registration', 'accounts', index, 'home-address'],
        message,
      });
    if (!known.has(homeAddress)) refuse(`${homeAddress} is the home address of none of the mobile nodes`);
    else if (taken.has(homeAddress)) refuse(`${homeAddress} has an account already`);
    taken.add(homeAddress);
  });
}
