/** The configuration file of `trimaran home-agent` (examples/home-agent.yaml). */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';
import { duration } from './configuration-values.ts';
import { checkSipAccounts, type SipFunctionConfiguration, sipFunction } from './home-agent-sip.ts';
import {
  type Ipv4Prefix,
  ipv4Address,
  ipv4Prefix,
  isOnPrefix,
  type SecurityAssociationConfiguration,
  securityAssociation,
  tunnelEncapsulation,
} from './mobile-ip-values.ts';

export interface ServedMobileNodeConfiguration {
  readonly 'home-address': string;
  /** Network access identifier (RFC 2794), such as bob@home.example. */
  readonly identifier?: string | undefined;
  readonly 'security-associations': readonly SecurityAssociationConfiguration[];
  readonly multipath: boolean;
  readonly encapsulation: TunnelEncapsulation;
}

export interface HomeAgentConfiguration {
  /** A correspondent keeps bindings for its own packets only (MIP–SIP §3, route optimisation). */
  readonly role: 'home-agent' | 'correspondent';
  /** Of the agent, on UDP port `port`: registrations and tunnels. */
  readonly address: string;
  readonly port: number;
  /** A home agent has one, a correspondent has none. */
  readonly 'home-link'?: { readonly interface: string; readonly prefix: Ipv4Prefix } | undefined;
  readonly 'mobile-nodes': readonly ServedMobileNodeConfiguration[];
  readonly lifetime: DurationMs;
  readonly 'lifetime-behind-nat': DurationMs;
  readonly keepalive: DurationMs;
  readonly 'timestamp-tolerance': DurationMs;
  /** A directory. */
  readonly journal: string;
  /** Of the tunnels of all mobile nodes. */
  readonly device: string;
  readonly 'sip-registration'?: SipFunctionConfiguration | undefined;
  readonly control?: string | undefined;
}

const mobileNode = z.strictObject({
  'home-address': ipv4Address,
  identifier: z.string().min(1).max(253).optional(),
  'security-associations': z.array(securityAssociation).min(1).max(16).refine(haveDistinctSpis, {
    error: 'two security associations have the same SPI',
  }),
  multipath: z.boolean().default(true),
  encapsulation: tunnelEncapsulation.default('rfc3519'),
});

export const homeAgentSchema: z.ZodType<HomeAgentConfiguration> = z
  .strictObject({
    role: z.enum(['home-agent', 'correspondent']).default('home-agent'),
    address: ipv4Address,
    port: z.number().int().min(1).max(65_535).default(434),
    'home-link': z.strictObject({ interface: z.string().min(1).max(15), prefix: ipv4Prefix }).optional(),
    'mobile-nodes': z.array(mobileNode).min(1).max(100_000),
    // RFC 5944 §3.6.1.2: what agents advertise unless told otherwise; 65,535 s would mean for ever.
    lifetime: duration.default(1_800_000).refine(...between(10_000, 65_534_000, '10s to 65534s')),
    'lifetime-behind-nat': duration.default(60_000).refine(...between(10_000, 65_534_000, '10s to 65534s')),
    keepalive: duration.default(110_000).refine(...between(10_000, 65_535_000, '10s (RFC 3519) to 65535s')),
    'timestamp-tolerance': duration.default(7000).refine((ms) => ms > 3000, 'more than 3s (RFC 5944 §5.7.1)'),
    journal: z.string().min(1).default('/var/lib/trimaran/home-agent'),
    device: z
      .string()
      .regex(/^[\w.-]{1,15}$/, 'a name of at most 15 letters, digits, dots, dashes and underscores')
      .default('trimaran-ha'),
    'sip-registration': sipFunction.optional(),
    control: z.string().optional(),
  })
  .superRefine(checkRole)
  .superRefine(checkHomeAddresses)
  .superRefine(checkSipAccounts);

function haveDistinctSpis(associations: readonly SecurityAssociationConfiguration[]): boolean {
  return new Set(associations.map(({ spi }) => spi)).size === associations.length;
}

function between(least: DurationMs, most: DurationMs, hint: string) {
  return [(ms: DurationMs) => ms >= least && ms <= most, hint] as const;
}

function checkRole(configuration: HomeAgentConfiguration, context: z.RefinementCtx): void {
  const refuse = (key: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [key], message });
  const isCorrespondent = configuration.role === 'correspondent';
  const hasHomeLink = configuration['home-link'] !== undefined;
  if (!isCorrespondent && !hasHomeLink) refuse('home-link', 'is missing');
  if (isCorrespondent && hasHomeLink) refuse('home-link', 'role: correspondent: it has no home link');
  if (isCorrespondent && configuration['sip-registration'] !== undefined)
    refuse('sip-registration', 'role: correspondent: the home agent registers SIP users');
}

function checkHomeAddresses(configuration: HomeAgentConfiguration, context: z.RefinementCtx): void {
  const { address, 'home-link': homeLink, 'mobile-nodes': mobileNodes } = configuration;
  const taken = new Set([address]);
  const identifiers = new Set<string>();
  mobileNodes.forEach(({ 'home-address': homeAddress, identifier }, index) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: ['mobile-nodes', index, key], message });
    if (homeLink !== undefined && !isOnPrefix(homeAddress, homeLink.prefix)) {
      const { address: network, length } = homeLink.prefix;
      refuse('home-address', `${homeAddress} is not on the home link, ${network}/${length}`);
    }
    if (homeAddress === address) refuse('home-address', `${homeAddress} is the agent's own address`);
    else if (taken.has(homeAddress)) refuse('home-address', `${homeAddress} is another mobile node's`);
    taken.add(homeAddress);
    if (identifier !== undefined && identifiers.has(identifier))
      refuse('identifier', `"${identifier}" is another mobile node's`);
    if (identifier !== undefined) identifiers.add(identifier);
  });
}
