/** Every address that a role or a program of the lab is configured with (TRIM fig. 7; MIP–SIP fig. 3), the same in both runners. */

/** Where the mobile node is attached to one access network. */
export interface AccessPlace {
  readonly name: string;
  /** On the mobile node. */
  readonly interface: string;
  readonly address: string;
  /** The access router. */
  readonly gateway: string;
  /** The access router on its other link, and who is there. */
  readonly routerAddress: string;
  readonly homeAddress: string;
}

/** What applications on the mobile node see (TRIM fig. 3(b)), and where they find their outbound proxy. */
export const internalAddress = '10.64.0.1';
export const applicationPort = 5070;

export const labAddresses = {
  /** On the home node's loopback interface: reachable from everywhere. */
  proxyCscf: '10.10.0.11',
  interrogatingCscf: '10.10.0.12',
  servingCscf: '10.10.0.13',
  homeSubscriberServer: '10.10.0.14',
  /** Of the second access, in scenarios with a P-CSCF per access. */
  secondProxyCscf: '10.10.0.15',
  trimApplicationServer: '10.10.0.20',
  /** Of the translator as a Diameter peer. */
  translator: '10.20.0.2',
  /** Of its pools; they are its own addresses too. */
  translatorTowardsPeers: ['198.51.100.1', '198.51.100.2'],
  translatorTowardsMobileNodes: ['192.0.2.1', '192.0.2.2'],
  /** MIP–SIP: on the home link, where the mobile node's home address belongs. */
  homeAgent: '10.30.0.2',
  mobileNodeHome: '10.30.0.100',
  /** MIP–SIP: registrar, proxy and redirect server. */
  sipServer: '10.40.0.2',
  correspondentNode: '203.0.113.2',
} as const;

/** The accesses of TRIM fig. 7. */
export const trimAccessNames: readonly string[] = ['3g', 'wlan'];

/** In the order in which the scenario has them. */
export function accessPlaces(names: readonly string[] = trimAccessNames): AccessPlace[] {
  return names.map((name, index) => ({
    name,
    interface: `${name}0`,
    address: `10.${index + 1}.0.2`,
    gateway: `10.${index + 1}.0.1`,
    routerAddress: `10.${index + 11}.0.2`,
    homeAddress: `10.${index + 11}.0.1`,
  }));
}
