/**
 * The test network of TRIM fig. 7: a mobile node with a 3G and a WLAN leg, their access routers, the home network with the IMS core, the
 * TRIM application server and an address translator on a node of its own, and a correspondent node on a wire.
 *
 *              ┌─ 3g ─── ar-3g ───┐          ┌── translator   x: 198.51.100.1, .2 (towards the CN)
 *   mn ────────┤                  ├── home ──┤               y: 192.0.2.1, .2 (towards the MN)
 *              └─ wlan ─ ar-wlan ─┘          └── cn
 */
import { type AccessProfile, accessProfiles } from '../access-network/access-profiles.ts';
import type { LinkEnd, NodeDescription, TopologyDescription } from './topology.ts';

export type LabNode = 'mn' | 'ar-3g' | 'ar-wlan' | 'home' | 'translator' | 'cn';
export type LabAccess = '3g' | 'wlan';

/** Every address that a role or a program is configured with. */
export const labAddresses = {
  accesses: {
    '3g': { interface: '3g0', address: '10.1.0.2', gateway: '10.1.0.1' },
    wlan: { interface: 'wlan0', address: '10.2.0.2', gateway: '10.2.0.1' },
  },
  /** On the home node's loopback interface: reachable from everywhere. */
  proxyCscf: '10.10.0.11',
  interrogatingCscf: '10.10.0.12',
  servingCscf: '10.10.0.13',
  homeSubscriberServer: '10.10.0.14',
  /** Of the WLAN, in scenarios with a P-CSCF per access. */
  secondProxyCscf: '10.10.0.15',
  trimApplicationServer: '10.10.0.20',
  /** Of the translator as a Diameter peer. */
  translator: '10.20.0.2',
  /** Of its pools; they are its own addresses too. */
  translatorTowardsPeers: ['198.51.100.1', '198.51.100.2'],
  translatorTowardsMobileNodes: ['192.0.2.1', '192.0.2.2'],
  correspondentNode: '203.0.113.2',
} as const;

/** The mobile node gets no routes: which access a packet takes is the mobile node's own business. */
export function labTopology(
  profiles: Readonly<Record<LabAccess, AccessProfile>> = {
    '3g': accessProfiles.hspa,
    wlan: accessProfiles.wlan,
  },
): TopologyDescription {
  const { accesses } = labAddresses;
  const accessLink = (name: LabAccess) => ({
    name,
    profile: profiles[name],
    ends: [
      end('mn', accesses[name].interface, `${accesses[name].address}/24`),
      end(`ar-${name}`, 'radio', `${accesses[name].gateway}/24`),
    ] as const,
  });
  return {
    nodes,
    links: [
      accessLink('3g'),
      accessLink('wlan'),
      { name: 'core-3g', ends: [end('ar-3g', 'core', '10.11.0.2/24'), end('home', 'ar-3g', '10.11.0.1/24')] },
      {
        name: 'core-wlan',
        ends: [end('ar-wlan', 'core', '10.12.0.2/24'), end('home', 'ar-wlan', '10.12.0.1/24')],
      },
      {
        name: 'translator',
        ends: [
          end('translator', 'eth0', `${labAddresses.translator}/24`),
          end('home', 'translator', '10.20.0.1/24'),
        ],
      },
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

const defaultRoute = (gateway: string) => ({ destination: '0.0.0.0/0', gateway });

const nodes: readonly NodeDescription[] = [
  { name: 'mn' },
  { name: 'ar-3g', isRouter: true, routes: [defaultRoute('10.11.0.1')] },
  { name: 'ar-wlan', isRouter: true, routes: [defaultRoute('10.12.0.1')] },
  {
    name: 'home',
    isRouter: true,
    loopbackAddresses: [
      labAddresses.proxyCscf,
      labAddresses.interrogatingCscf,
      labAddresses.servingCscf,
      labAddresses.homeSubscriberServer,
      labAddresses.secondProxyCscf,
      labAddresses.trimApplicationServer,
    ].map((address) => `${address}/32`),
    routes: [
      { destination: '10.1.0.0/24', gateway: '10.11.0.2' },
      { destination: '10.2.0.0/24', gateway: '10.12.0.2' },
      { destination: '198.51.100.0/24', gateway: labAddresses.translator },
      { destination: '192.0.2.0/24', gateway: labAddresses.translator },
    ],
  },
  {
    name: 'translator',
    isRouter: true,
    loopbackAddresses: [
      ...labAddresses.translatorTowardsPeers,
      ...labAddresses.translatorTowardsMobileNodes,
    ].map((address) => `${address}/32`),
    routes: [defaultRoute('10.20.0.1')],
  },
  { name: 'cn', routes: [defaultRoute('203.0.113.1')] },
];

function end(node: LabNode, name: string, address: string): LinkEnd {
  return { node, interface: name, addresses: [address] };
}
