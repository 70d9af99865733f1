/** The configuration file of `trimaran ims-core`: one small core, all of its functions in one process, or some of them beside somebody else's. */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { duration, transportAddress } from './configuration-values.ts';
import { journalDirectory } from './core-values.ts';
import { furtherAddresses, type ProxyCscfConfiguration } from './p-cscf.ts';
import {
  digestAlgorithms,
  type RegistrationConfiguration,
  registrationSchema,
  type ServingCscfConfiguration,
} from './s-cscf.ts';
import { type SipConfiguration, sipKeys } from './sip-values.ts';
import { type SubscriberConfiguration, subscribersSchema } from './subscribers.ts';
import type { TlsConfiguration } from './tls-values.ts';

const coreFunctions = ['p-cscf', 'i-cscf', 's-cscf', 'hss'] as const;
export type CoreFunction = (typeof coreFunctions)[number];

export interface ImsCoreConfiguration {
  /** What runs here; the others are somebody else's, at the addresses given. */
  readonly functions: readonly CoreFunction[];
  /** The home domain: of the users, of digest challenges, of Diameter. */
  readonly domain: string;
  /** A P-CSCF at each place. */
  readonly 'p-cscf': readonly Pick<ProxyCscfConfiguration, 'sip' | 'further-addresses'>[];
  readonly 'i-cscf': TransportAddress;
  readonly 's-cscf': TransportAddress;
  /** Diameter Cx. */
  readonly hss: TransportAddress;
  /** Requests within a dialog from an address that nobody registered from. */
  readonly 'unregistered-in-dialog': 'forward' | 'refuse';
  /** Other domains with their I-CSCF, and application servers that are addressed by name. */
  readonly hosts: SipConfiguration['hosts'];
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly dns?: boolean | undefined;
  /** Users may come to the P-CSCFs by TLS, too; what the functions say to one another stays in this process's network. */
  readonly tls?: TlsConfiguration | undefined;
  readonly subscribers: readonly SubscriberConfiguration[];
  /** What users with a password are offered, the best first. */
  readonly 'digest-algorithms': ServingCscfConfiguration['digest-algorithms'];
  readonly registration: RegistrationConfiguration;
  readonly 'application-server-timeout': DurationMs;
  /** A directory; absent: what is registered dies with the process. */
  readonly journal?: string | undefined;
  /** Of the HSS. */
  readonly control?: string | undefined;
}

/** By its address, or with those that it has besides. */
const proxyCscfPlace = z.preprocess(
  (source) => (typeof source === 'string' ? { sip: source } : source),
  z.strictObject({ sip: transportAddress, 'further-addresses': furtherAddresses }),
);

export const imsCoreSchema: z.ZodType<ImsCoreConfiguration> = z
  .strictObject({
    functions: z
      .array(z.enum(coreFunctions))
      .min(1)
      .default([...coreFunctions]),
    domain: z.string().min(1).toLowerCase(),
    'p-cscf': z.array(proxyCscfPlace).min(1),
    'i-cscf': transportAddress,
    's-cscf': transportAddress,
    hss: transportAddress,
    'unregistered-in-dialog': z.enum(['forward', 'refuse']).default('refuse'),
    hosts: sipKeys.hosts,
    dns: sipKeys.dns,
    tls: sipKeys.tls,
    subscribers: subscribersSchema,
    'digest-algorithms': digestAlgorithms.default(['MD5']),
    registration: registrationSchema.prefault({} as RegistrationConfiguration),
    'application-server-timeout': duration.default(5000),
    journal: journalDirectory,
    control: z.string().optional(),
  })
  .superRefine(({ tls, 'p-cscf': proxies }, context) => {
    const places = proxies.flatMap(({ sip, 'further-addresses': further }) => [sip, ...further]);
    if (tls !== undefined && new Set(places.map(({ address }) => address)).size < places.length)
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message:
          'two P-CSCFs at one IP address cannot share the port of TLS: run one of them as trimaran p-cscf',
      });
  });
