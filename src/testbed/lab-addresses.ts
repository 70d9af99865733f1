/** Every address that a role or a program of the lab is configured with (TRIM fig. 7; MIP–SIP fig. 3), the same in both runners. */

/** What there is to know of an access network to say where the mobile node is attached to it. */
export interface NumberedAccess {
  readonly name: string;
  /** Of the packets that it carries; it has the other version of IP nowhere. 4 when absent. */
  readonly family?: 4 | 6;
}

/** Where the mobile node is attached to one access network. */
export interface AccessPlace {
  readonly name: string;
  readonly family: 4 | 6;
  /** On the mobile node. */
  readonly interface: string;
  readonly address: string;
  /** The access router. */
  readonly gateway: string;
  /** The access router on its other link, and who is there. */
  readonly routerAddress: string;
  readonly homeAddress: string;
  /** Of the link to the mobile node, and the length of prefixes of either link. */
  readonly network: string;
  readonly prefixLength: number;
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
  /** What of the home network has IPv6 too, where an access has nothing else. */
  ipv6: {
    proxyCscf: '2001:db8:a::11',
    secondProxyCscf: '2001:db8:a::15',
    translator: '2001:db8:20::2',
    translatorTowardsMobileNodes: '2001:db8:f::1',
  },
  /** MIP–SIP: on the home link, where the mobile node's home address belongs. */
  homeAgent: '10.30.0.2',
  mobileNodeHome: '10.30.0.100',
  /** MIP–SIP: registrar, proxy and redirect server. */
  sipServer: '10.40.0.2',
  correspondentNode: '203.0.113.2',
} as const;

/** The accesses of TRIM fig. 7. */
const trimAccesses: readonly NumberedAccess[] = [{ name: '3g' }, { name: 'wlan' }];

/** In the order in which the scenario has them. */
export function accessPlaces(accesses: readonly NumberedAccess[] = trimAccesses): AccessPlace[] {
  return accesses.map(({ name, family = 4 }, index) => {
    const isIpv6 = family === 6;
    const on = (network: number, host: number): string =>
      isIpv6 ? `2001:db8:${network}::${host}` : `10.${network}.0.${host}`;
    const [access, core] = [index + 1, index + 11];
    return {
      name,
      family,
      interface: `${name}0`,
      address: on(access, 2),
      gateway: on(access, 1),
      routerAddress: on(core, 2),
      homeAddress: on(core, 1),
      network: isIpv6 ? `2001:db8:${access}::/64` : `10.${access}.0.0/24`,
      prefixLength: isIpv6 ? 64 : 24,
    };
  });
}

/** Whether the home network has IPv6. */
export function hasIpv6(accesses: readonly NumberedAccess[]): boolean {
  return accesses.some(({ family }) => family === 6);
}

/** Where accesses of that version of IP find the one P-CSCF of all accesses, or the first access's and the others'. */
export function proxyCscfOf(family: 4 | 6 | undefined, isSecond: boolean): string {
  const { proxyCscf, secondProxyCscf } = family === 6 ? labAddresses.ipv6 : labAddresses;
  return isSecond ? secondProxyCscf : proxyCscf;
}
