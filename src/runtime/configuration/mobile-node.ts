/** The configuration file of `trimaran mobile-node` (examples/mobile-node.yaml; with Mobile IP: examples/mobile-node-mip-sip.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';
import type { SipUri } from '../../protocols/sip/message/sip-uri.ts';
import {
  type AccessScoresConfiguration,
  coverage,
  type PolicyConfiguration,
  policySchema,
  score,
} from './access-policy.ts';
import { duration, ipAddress, sipServer } from './configuration-values.ts';
import {
  ipv4Address,
  type SecurityAssociationConfiguration,
  securityAssociation,
  tunnelEncapsulation,
} from './mobile-ip-values.ts';
import { type TlsUserConfiguration, tlsUserSchema } from './tls-values.ts';
import {
  credentialKeys,
  credentialRule,
  hasOneCredential,
  type UserCredentials,
} from './user-credentials.ts';

export interface AccessConfiguration extends AccessScoresConfiguration {
  readonly interface: string;
  /** The router; absent: the default route of the interface. */
  readonly gateway?: string | undefined;
  /** P-CSCF, or outbound proxy of a plain SIP network, by its address or its name; absent: no SIP over this access. */
  readonly 'proxy-cscf'?: TransportAddress | SipUri | undefined;
  /** P-Access-Network-Info, such as "IEEE-802.11". */
  readonly 'access-network-info'?: string | undefined;
}

export interface IdentityConfiguration extends UserCredentials {
  readonly public: string;
  /** Credentials, this and what follows are for a node that registers itself. */
  readonly private?: string | undefined;
  readonly 'home-domain'?: string | undefined;
  readonly instance?: string | undefined;
  readonly expires: DurationMs;
}

/** A peer with `role: correspondent` (examples/home-agent-correspondent.yaml), on the same port as the home agent. */
export interface CorrespondentConfiguration {
  readonly address: string;
  readonly 'security-association': SecurityAssociationConfiguration;
  readonly lifetime: DurationMs;
}

export interface MobileIpConfiguration {
  readonly 'home-address': string;
  readonly 'home-agent': string;
  /** Of the home agent and of the node's own sockets. */
  readonly port: number;
  readonly 'security-association': SecurityAssociationConfiguration;
  /** Network access identifier (RFC 2794). */
  readonly identifier?: string | undefined;
  readonly lifetime: DurationMs;
  readonly encapsulation: TunnelEncapsulation;
  readonly 'probe-interval': DurationMs;
  readonly 'missed-probes': number;
  /** Name of the TUN device. */
  readonly device: string;
  /** Peers whose packets take the direct way (MIP–SIP §3, route optimisation). */
  readonly correspondents: readonly CorrespondentConfiguration[];
}

export interface MobileNodeConfiguration {
  readonly identity?: IdentityConfiguration | undefined;
  readonly registration: 'mobile-node' | 'home-agent' | 'none';
  readonly 'internal-address': string;
  readonly 'application-port': number;
  readonly 'signalling-port': number;
  /** Without a policy, the most preferred first. */
  readonly accesses: readonly AccessConfiguration[];
  readonly 'mobile-ip'?: MobileIpConfiguration | undefined;
  readonly policy?: PolicyConfiguration | undefined;
  /** All SIP of its network side goes by TLS. */
  readonly tls?: TlsUserConfiguration | undefined;
  readonly reservation: boolean;
  readonly 'grace-time': DurationMs;
  readonly 'release-after': DurationMs;
  readonly control: string;
}

const port = z.number().int().min(1).max(65_535);

const identity: z.ZodType<IdentityConfiguration> = z.strictObject({
  public: z
    .string()
    .regex(/^sip:[^@\s]+@[^@\s]+$/, 'a SIP URI with a user name, such as sip:bob@home1.example'),
  private: z.string().min(1).optional(),
  ...credentialKeys,
  'home-domain': z.string().min(1).optional(),
  instance: z
    .string()
    .regex(/^urn:uuid:[0-9a-f-]{36}$/i, 'a UUID as URN (RFC 5626), such as urn:uuid:… from uuidgen')
    .optional(),
  expires: duration.default(600_000),
});

const access: z.ZodType<AccessConfiguration> = z.strictObject({
  name: z.string().min(1),
  interface: z.string().min(1).max(15),
  gateway: ipAddress.optional(),
  'proxy-cscf': sipServer.optional(),
  'access-network-info': z.string().min(1).optional(),
  power: score.optional(),
  cost: score.optional(),
  coverage: coverage.optional(),
});

function lifetime(usual: DurationMs) {
  return duration
    .default(usual)
    .refine((ms) => ms >= 10_000 && ms <= 65_534_000, '10s to 65534s (RFC 5944 §3.3)');
}

const correspondent: z.ZodType<CorrespondentConfiguration> = z.strictObject({
  address: ipv4Address,
  'security-association': securityAssociation,
  lifetime: lifetime(60_000),
});

const mobileIp: z.ZodType<MobileIpConfiguration> = z.strictObject({
  'home-address': ipv4Address,
  'home-agent': ipv4Address,
  port: port.default(434),
  'security-association': securityAssociation,
  identifier: z.string().min(1).max(253).optional(),
  lifetime: lifetime(300_000),
  encapsulation: tunnelEncapsulation.default('rfc3519'),
  'probe-interval': duration
    .default(200)
    .refine((ms) => ms >= 50, 'at least 50ms, or probes would be a load themselves'),
  'missed-probes': z.number().int().min(1).max(100).default(3),
  device: z
    .string()
    .regex(/^[\w.-]{1,15}$/, 'a name of at most 15 letters, digits, dots, dashes and underscores')
    .default('trimaran'),
  correspondents: z
    .array(correspondent)
    .max(32, 'at most 32: each is registered with, and probed, over every access')
    .default([]),
});

export const mobileNodeSchema: z.ZodType<MobileNodeConfiguration> = z
  .strictObject({
    identity: identity.optional(),
    registration: z.enum(['mobile-node', 'home-agent', 'none']).default('mobile-node'),
    'internal-address': ipAddress.default('10.64.0.1'),
    'application-port': port.default(5070),
    'signalling-port': port.default(5060),
    accesses: z
      .array(access)
      .min(1)
      .max(127)
      .refine(areDistinct, 'two accesses have the same name or interface'),
    'mobile-ip': mobileIp.optional(),
    policy: policySchema.optional(),
    tls: tlsUserSchema.optional(),
    reservation: z.boolean().default(false),
    'grace-time': duration.default(32_000),
    'release-after': duration.default(10_000),
    control: z.string().default('/run/trimaran/mobile-node.sock'),
  })
  .superRefine((configuration, context) => {
    const refuse = (path: PropertyKey[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    checkSip(configuration, refuse);
    checkCorrespondents(configuration, refuse);
    checkPolicy(configuration, refuse);
  });

type Refuse = (path: PropertyKey[], message: string) => void;

function areDistinct(accesses: readonly { readonly name: string; readonly interface: string }[]): boolean {
  const [names, links] = [accesses.map(({ name }) => name), accesses.map((one) => one.interface)];
  return new Set(names).size === names.length && new Set(links).size === links.length;
}

/** A node without Mobile IP is there for SIP; with it SIP may be left out, but then altogether. */
function checkSip(configuration: MobileNodeConfiguration, refuse: Refuse): void {
  const { accesses, identity: who, registration, 'mobile-ip': tunnel } = configuration;
  const missing = 'is missing';
  if (tunnel === undefined)
    accesses.forEach((one, index) => {
      if (one['proxy-cscf'] === undefined) refuse(['accesses', index, 'proxy-cscf'], missing);
    });
  if (tunnel === undefined && registration === 'home-agent')
    refuse(['registration'], 'home-agent: there is no home agent without a block "mobile-ip"');
  const hasSip = accesses.some((one) => one['proxy-cscf'] !== undefined);
  if (registration === 'none' || (tunnel !== undefined && !hasSip)) return;
  if (who === undefined) refuse(['identity'], missing);
  else if (registration === 'mobile-node') {
    if (!hasOneCredential(who)) refuse(['identity'], credentialRule);
    for (const key of ['private', 'home-domain', 'instance'] as const)
      if (who[key] === undefined) refuse(['identity', key], missing);
  }
}

/** What goes to the agents themselves and to the node is not for a correspondent's tunnel. */
function checkCorrespondents({ 'mobile-ip': tunnel }: MobileNodeConfiguration, refuse: Refuse): void {
  const taken = new Map([
    [tunnel?.['home-agent'], 'the home agent'],
    [tunnel?.['home-address'], "the node's home address"],
  ]);
  tunnel?.correspondents.forEach(({ address }, index) => {
    const owner = taken.get(address);
    if (owner !== undefined)
      refuse(['mobile-ip', 'correspondents', index, 'address'], `${address} is ${owner}`);
    taken.set(address, 'another correspondent');
  });
}

function checkPolicy(configuration: MobileNodeConfiguration, refuse: Refuse): void {
  const { accesses, policy, 'mobile-ip': tunnel } = configuration;
  if (policy === undefined || policy.module !== undefined) return;
  if (tunnel === undefined)
    refuse(['policy'], 'needs a block "mobile-ip": the accesses are measured by its round trips');
  accesses.forEach((one, index) => {
    for (const key of ['power', 'cost', 'coverage'] as const)
      if (one[key] === undefined) refuse(['accesses', index, key], 'is missing: the policy needs it');
  });
}
