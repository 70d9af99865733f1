/**
 * The test networks of the papers: TRIM fig. 7, a mobile node with some accesses (3G and WLAN by default), their access routers, the home
 * network with the IMS core, the TRIM application server and an address translator on a node of its own, and a correspondent node on a wire.
 *
 *              ┌─ 3g ─── ar-3g ───┐          ┌── translator   x: 198.51.100.1, .2 (towards the CN)
 *   mn ────────┤                  ├── home ──┤               y: 192.0.2.1, .2 (towards the MN)
 *              └─ wlan ─ ar-wlan ─┘          └── cn
 *
 * MIP–SIP fig. 3 has a home agent on the home link and a SIP server in place of all that, and the correspondent is SIP peer and TCP server.
 *
 *              ┌─ umts ── ar-umts ──┐          ┌── home-agent   home link 10.30.0.0/24, with the home address
 *   mn ────────┼─ wlan ── ar-wlan ──┼── home ──┼── sip-server
 *              └─ …       …        ─┘          └── cn
 */
import { type AccessProfile, accessProfiles } from '../access-network/access-profiles.ts';
import type { DurationMs } from '../base/instant.ts';
import { type AccessPlace, accessPlaces, labAddresses } from './lab-addresses.ts';
import type { LinkDescription, LinkEnd, NodeDescription, TopologyDescription } from './topology.ts';

export type LabArchitecture = 'trim' | 'mip-sip';

export type LabNode = 'mn' | `ar-${string}` | 'home' | 'translator' | 'home-agent' | 'sip-server' | 'cn';

/** One access network of the lab; what is on its router besides routing. */
export interface LabAccess {
  readonly name: string;
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
  const places = accessPlaces(accesses.map(({ name }) => name));
  const { nodes, links, homeRoutes } = architecture === 'trim' ? trimHome : mipSipHome(homeDelayMs);
  const home: NodeDescription = {
    name: 'home',
    isRouter: true,
    loopbackAddresses: homeAddresses[architecture].map((address) => `${address}/32`),
    routes: [
      // Behind address translation there is nothing that anybody could have a route to.
      ...places.flatMap(({ address, routerAddress }, index) =>
        accesses[index]?.nat
          ? []
          : [{ destination: address.replace(/\d+$/, '0/24'), gateway: routerAddress }],
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
  const { name, address, gateway } = place;
  const ends = [
    end('mn', place.interface, `${address}/24`),
    end(`ar-${name}`, 'radio', `${gateway}/24`),
  ] as const;
  return { name, profile, ends };
}

function coreLink({ name, routerAddress, homeAddress }: AccessPlace): LinkDescription {
  return {
    name: `core-${name}`,
    ends: [end(`ar-${name}`, 'core', `${routerAddress}/24`), end('home', `ar-${name}`, `${homeAddress}/24`)],
  };
}

function defaultRoute(gateway: string) {
  return { destination: '0.0.0.0/0', gateway };
}

const homeAddresses: Readonly<Record<LabArchitecture, readonly string[]>> = {
  trim: [
    labAddresses.proxyCscf,
    labAddresses.interrogatingCscf,
    labAddresses.servingCscf,
    labAddresses.homeSubscriberServer,
    labAddresses.secondProxyCscf,
    labAddresses.trimApplicationServer,
  ],
  'mip-sip': [],
};

const { wire } = accessProfiles;

interface HomeNetwork {
  readonly nodes: readonly NodeDescription[];
  readonly links: readonly LinkDescription[];
  readonly homeRoutes: NonNullable<NodeDescription['routes']>;
}

const trimHome: HomeNetwork = {
  nodes: [
    {
      name: 'translator',
      isRouter: true,
      loopbackAddresses: [
        ...labAddresses.translatorTowardsPeers,
        ...labAddresses.translatorTowardsMobileNodes,
      ].map((address) => `${address}/32`),
      routes: [defaultRoute('10.20.0.1')],
    },
  ],
  links: [
    {
      name: 'translator',
      ends: [
        end('translator', 'eth0', `${labAddresses.translator}/24`),
        end('home', 'translator', '10.20.0.1/24'),
      ],
    },
  ],
  homeRoutes: [
    { destination: '198.51.100.0/24', gateway: labAddresses.translator },
    { destination: '192.0.2.0/24', gateway: labAddresses.translator },
  ],
};

const mipSipHome = (delayMs: DurationMs): HomeNetwork => ({
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

function end(node: LabNode, name: string, address: string): LinkEnd {
  return { node, interface: name, addresses: [address] };
}
