/**
 * The test networks of the papers: TRIM fig. 7, a mobile node with some accesses (3G and WLAN by default), their access routers, the home
 * network with the IMS core, the TRIM application server and an address translator on a node of its own, and a correspondent node on a wire.
 *
 *              ┌─ 3g ─── ar-3g ───┐          ┌── translator   x: 198.51.100.1, .2 (towards the CN)
 *   mn ────────┤                  ├── home ──┤               y: 192.0.2.1, .2 (towards the MN)
 *              └─ wlan ─ ar-wlan ─┘          └── cn
 *
 * An access may have IPv6 alone; then its router, home and the translator have IPv6 too (2001:db8:…), and the correspondent has not.
 *
 * MIP–SIP fig. 3 has a home agent on the home link and a SIP server in place of all that, and the correspondent is SIP peer and TCP server.
 *
 *              ┌─ umts ── ar-umts ──┐          ┌── home-agent   home link 10.30.0.0/24, with the home address
 *   mn ────────┼─ wlan ── ar-wlan ──┼── home ──┼── sip-server
 *              └─ …       …        ─┘          └── cn
 */
import { type AccessProfile, accessProfiles } from '../access-network/access-profiles.ts';
import type { DurationMs } from '../base/instant.ts';
import { familyOf } from '../base/ip-address.ts';
import {
  type AccessPlace,
  accessPlaces,
  hasIpv6,
  labAddresses,
  type NumberedAccess,
} from './lab-addresses.ts';
import type { LinkDescription, LinkEnd, NodeDescription, TopologyDescription } from './topology.ts';

export type LabArchitecture = 'trim' | 'mip-sip';

export type LabNode = 'mn' | `ar-${string}` | 'home' | 'translator' | 'home-agent' | 'sip-server' | 'cn';

/** One access network of the lab; what is on its router besides routing. */
export interface LabAccess extends NumberedAccess {
  readonly profile: AccessProfile;
  /** The router translates what leaves to an address of its own, with connection tracking; it drops sources that are not its link's. */
  readonly nat?: boolean;
  readonly strictSource?: boolean;
}

export const trimAccesses: readonly LabAccess[] = [
  { name: '3g', profile: accessProfiles.hspa },
  { name: 'wlan', profile: accessProfiles.wlan },
];

/** `homeDelayMs`: how far the home link of MIP–SIP is from all the rest, one way. The mobile node gets no routes: which access a packet takes is the mobile node's own business. */
export function labTopology(
  accesses: readonly LabAccess[] = trimAccesses,
  architecture: LabArchitecture = 'trim',
  homeDelayMs: DurationMs = 0,
): TopologyDescription {
  const places = accessPlaces(accesses);
  const { nodes, links, homeRoutes, homeAddresses } =
    architecture === 'trim' ? trimHome(hasIpv6(accesses)) : mipSipHome(homeDelayMs);
  const home: NodeDescription = {
    name: 'home',
    isRouter: true,
    loopbackAddresses: homeAddresses.map(asHost),
    routes: [
      // Behind address translation there is nothing that anybody could have a route to.
      ...places.flatMap(({ network, routerAddress }, index) =>
        accesses[index]?.nat ? [] : [{ destination: network, gateway: routerAddress }],
      ),
      ...homeRoutes,
    ],
  };
  return {
    nodes: [
      { name: 'mn' },
      ...places.map((place, index) => accessRouter(place, accesses[index]!)),
      home,
      ...nodes,
      { name: 'cn', routes: [defaultRoute('203.0.113.1')] },
    ],
    links: [
      ...places.map((place, index) => accessLink(place, accesses[index]!.profile)),
      ...places.map(coreLink),
      ...links,
      {
        name: 'cn',
        ends: [
          end('cn', 'eth0', `${labAddresses.correspondentNode}/24`),
          end('home', 'cn', '203.0.113.1/24'),
        ],
      },
    ],
  };
}

function accessRouter(
  { name, homeAddress }: AccessPlace,
  { nat = false, strictSource = false }: LabAccess,
): NodeDescription {
  return {
    name: `ar-${name}`,
    isRouter: true,
    routes: [defaultRoute(homeAddress)],
    ...(strictSource && { strictSourceOn: 'radio' }),
    ...(nat && { natOn: 'core' }),
  };
}

function accessLink(place: AccessPlace, profile: AccessProfile): LinkDescription {
  const { name, address, gateway, prefixLength } = place;
  const ends = [
    end('mn', place.interface, `${address}/${prefixLength}`),
    end(`ar-${name}`, 'radio', `${gateway}/${prefixLength}`),
  ] as const;
  return { name, profile, ends };
}

function coreLink({ name, routerAddress, homeAddress, prefixLength }: AccessPlace): LinkDescription {
  return {
    name: `core-${name}`,
    ends: [
      end(`ar-${name}`, 'core', `${routerAddress}/${prefixLength}`),
      end('home', `ar-${name}`, `${homeAddress}/${prefixLength}`),
    ],
  };
}

function defaultRoute(gateway: string) {
  return { destination: familyOf(gateway) === 6 ? '::/0' : '0.0.0.0/0', gateway };
}

function asHost(address: string): string {
  return `${address}/${familyOf(address) === 6 ? 128 : 32}`;
}

const { wire } = accessProfiles;

interface HomeNetwork {
  readonly homeAddresses: readonly string[];
  readonly nodes: readonly NodeDescription[];
  readonly links: readonly LinkDescription[];
  readonly homeRoutes: NonNullable<NodeDescription['routes']>;
}

const { ipv6 } = labAddresses;
const homeIpv6 = '2001:db8:20::1';

const trimHome = (withIpv6: boolean): HomeNetwork => ({
  homeAddresses: [
    labAddresses.proxyCscf,
    labAddresses.interrogatingCscf,
    labAddresses.servingCscf,
    labAddresses.homeSubscriberServer,
    labAddresses.secondProxyCscf,
    labAddresses.trimApplicationServer,
    ...(withIpv6 ? [ipv6.proxyCscf, ipv6.secondProxyCscf] : []),
  ],
  nodes: [
    {
      name: 'translator',
      isRouter: true,
      loopbackAddresses: [
        ...labAddresses.translatorTowardsPeers,
        ...labAddresses.translatorTowardsMobileNodes,
        ...(withIpv6 ? [ipv6.translatorTowardsMobileNodes] : []),
      ].map(asHost),
      routes: [defaultRoute('10.20.0.1'), ...(withIpv6 ? [defaultRoute(homeIpv6)] : [])],
    },
  ],
  links: [
    {
      name: 'translator',
      ends: [
        end(
          'translator',
          'eth0',
          `${labAddresses.translator}/24`,
          ...(withIpv6 ? [`${ipv6.translator}/64`] : []),
        ),
        end('home', 'translator', '10.20.0.1/24', ...(withIpv6 ? [`${homeIpv6}/64`] : [])),
      ],
    },
  ],
  homeRoutes: [
    { destination: '198.51.100.0/24', gateway: labAddresses.translator },
    { destination: '192.0.2.0/24', gateway: labAddresses.translator },
    ...(withIpv6 ? [{ destination: '2001:db8:f::/64', gateway: ipv6.translator }] : []),
  ],
});

const mipSipHome = (delayMs: DurationMs): HomeNetwork => ({
  homeAddresses: [],
  nodes: [
    { name: 'home-agent', isRouter: true, routes: [defaultRoute('10.30.0.1')] },
    { name: 'sip-server', routes: [defaultRoute('10.40.0.1')] },
  ],
  links: [
    {
      name: 'home-link',
      ...(delayMs > 0 && {
        profile: { ...wire, uplink: { ...wire.uplink, delayMs }, downlink: { ...wire.downlink, delayMs } },
      }),
      ends: [
        end('home-agent', 'eth0', `${labAddresses.homeAgent}/24`),
        end('home', 'home-link', '10.30.0.1/24'),
      ],
    },
    {
      name: 'sip-server',
      ends: [
        end('sip-server', 'eth0', `${labAddresses.sipServer}/24`),
        end('home', 'sip-server', '10.40.0.1/24'),
      ],
    },
  ],
  homeRoutes: [],
});

function end(node: LabNode, name: string, ...addresses: readonly string[]): LinkEnd {
  return { node, interface: name, addresses };
}
