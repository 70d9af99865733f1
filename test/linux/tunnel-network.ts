/**
 * A home network, a mobile node with two accesses, and the tunnel between them (MIP–SIP fig. 3), in namespaces of this process:
 *
 *   cn ── home link ── ha ── core ─┬─ umts router ── mn
 *                  server ────┘    └─ wlan router ── mn
 *
 * The tunnel's two ends run in this process too; bindings are what registrations would make them.
 */

import type { TransportAddress } from '../../src/base/network.ts';
import { ProxyArp } from '../../src/drivers/linux/proxy-arp.ts';
import { Tunnel } from '../../src/drivers/linux/tunnel.ts';
import type {
  TunnelBinding,
  TunnelEncapsulation,
  TunnelEndpoint,
  TunnelRule,
} from '../../src/protocols/mobile-ip/tunnel-state.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';

export const homeAddress = '198.51.100.99';
export const correspondent = '198.51.100.2';
/** A correspondent that is not on the home link. */
export const server = '203.0.113.2';
export const homeAgent: TransportAddress = { address: '198.51.100.1', port: 434 };
export const careOf = {
  umts: { address: '10.1.0.2', port: 43_401 },
  wlan: { address: '10.2.0.2', port: 43_402 },
} as const;
export type Access = keyof typeof careOf;
export const accesses: readonly Access[] = ['umts', 'wlan'];

export interface ReceivedDatagram {
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly payload: Uint8Array;
}

export interface TunnelNetwork {
  readonly topology: KernelTopology;
  readonly ha: Tunnel;
  readonly mn: Tunnel;
  readonly proxyArp: ProxyArp;
  readonly heard: { readonly ha: ReceivedDatagram[]; readonly mn: ReceivedDatagram[] };
  readonly close: () => Promise<void>;
}

export function openTunnelNetwork(): TunnelNetwork {
  const topology = openTunnelTopology();
  const heard = { ha: [] as ReceivedDatagram[], mn: [] as ReceivedDatagram[] };
  const open = (node: 'ha' | 'mn'): Tunnel =>
    topology.namespaceOf(node).run(
      () =>
        new Tunnel({
          placement: node === 'ha' ? 'home-agent' : 'mobile-node',
          device: node === 'ha' ? 'home0' : 'mobile0',
          destinations: ['0.0.0.0/0'],
          onDatagram: (local, remote, payload) => void heard[node].push({ local, remote, payload }),
        }),
    );
  const [ha, mn] = [open('ha'), open('mn')];
  const proxyArp = topology.namespaceOf('ha').run(() => new ProxyArp('to-cn'));
  proxyArp.add(homeAddress);
  ha.listen(homeAgent);
  for (const access of accesses) mn.listen(careOf[access]);
  const close = async (): Promise<void> => {
    topology.namespaceOf('ha').run(() => proxyArp.close());
    await ha.close();
    await mn.close();
    await topology.close();
  };
  return { topology, ha, mn, proxyArp, heard, close };
}

/** The endpoint of an access as the home agent or the mobile node has it; `natted` is what the home agent sees of it. */
export function endpointOf(
  end: 'ha' | 'mn',
  access: Access,
  encapsulation: TunnelEncapsulation = 'rfc3519',
  natted: TransportAddress = careOf[access],
): TunnelEndpoint {
  return end === 'ha'
    ? { local: homeAgent, remote: natted, encapsulation }
    : { local: careOf[access], remote: homeAgent, encapsulation };
}

export function bindingOf(endpoints: readonly TunnelEndpoint[], rules: readonly TunnelRule[]): TunnelBinding {
  return { homeAddress, homeAgent: homeAgent.address, endpoints, rules };
}

/** Everything over one access, both accepted. */
export function bindOver(network: TunnelNetwork, access: Access, encapsulation?: TunnelEncapsulation): void {
  for (const end of ['ha', 'mn'] as const) {
    const endpoint = (name: Access) => endpointOf(end, name, encapsulation);
    const binding = bindingOf(accesses.map(endpoint), [{ selector: {}, endpoints: [endpoint(access)] }]);
    network[end].apply({ kind: 'bind', binding });
  }
}

export function openTunnelTopology(): KernelTopology {
  const wire = (a: string, aAddress: string, b: string, bAddress: string) =>
    ({
      name: `${a}-${b}`,
      ends: [
        { node: a, interface: `to-${b}`, addresses: [aAddress] },
        { node: b, interface: `to-${a}`, addresses: [bAddress] },
      ],
    }) as const;
  const via = (destination: string, gateway: string) => ({ destination, gateway });
  const topology = new KernelTopology(
    {
      nodes: [
        { name: 'cn', routes: [via('0.0.0.0/0', '198.51.100.1')] },
        { name: 'ha', isRouter: true, routes: [via('0.0.0.0/0', '192.0.2.2')] },
        {
          name: 'core',
          isRouter: true,
          routes: [
            via('198.51.100.0/24', '192.0.2.1'),
            via('10.1.0.0/24', '192.0.2.6'),
            via('10.2.0.0/24', '192.0.2.10'),
          ],
        },
        { name: 'umts', isRouter: true, routes: [via('0.0.0.0/0', '192.0.2.5')] },
        { name: 'wlan', isRouter: true, routes: [via('0.0.0.0/0', '192.0.2.9')] },
        { name: 'mn' },
        { name: 'server', routes: [via('0.0.0.0/0', '203.0.113.1')] },
      ],
      links: [
        wire('cn', '198.51.100.2/24', 'ha', '198.51.100.1/24'),
        wire('ha', '192.0.2.1/30', 'core', '192.0.2.2/30'),
        wire('core', '192.0.2.5/30', 'umts', '192.0.2.6/30'),
        wire('core', '192.0.2.9/30', 'wlan', '192.0.2.10/30'),
        wire('core', '203.0.113.1/24', 'server', '203.0.113.2/24'),
        wire('mn', '10.1.0.2/24', 'umts', '10.1.0.1/24'),
        wire('mn', '10.2.0.2/24', 'wlan', '10.2.0.1/24'),
      ],
    },
    { seed: 1 },
  );
  topology.configure('mn', (rtnetlink) => {
    for (const [index, access] of accesses.entries()) {
      const table = 100 + index;
      const gateway = `10.${index + 1}.0.1`;
      rtnetlink.replaceRoute({ destination: '0.0.0.0/0', gateway, link: `to-${access}`, table });
      rtnetlink.addRule({ family: 4, priority: 100 + index, table, from: `${careOf[access].address}/32` });
    }
  });
  return topology;
}
