/**
 * The routes of datagrams, one for each pair of addresses: a transaction keeps its route for as long as it lasts, and there are a hundred
 * thousand transactions with the same few neighbours.
 */
import type { TransportAddress } from '../../../base/network.ts';
import { formatTransportAddress } from '../../../base/network.ts';
import { TransportAddressMap } from '../../../base/transport-address-map.ts';
import { maximumDatagramRoutes } from './limits.ts';
import type { DatagramRoute } from './sip-route.ts';

export class DatagramRoutes {
  /** By own address, then by the peer's. */
  readonly #routes = new TransportAddressMap<TransportAddressMap<DatagramRoute>>();
  #size = 0;

  between(local: TransportAddress, remote: TransportAddress): DatagramRoute {
    return this.#routes.get(local)?.get(remote) ?? this.#add(local, remote);
  }

  #add(local: TransportAddress, { address, port }: TransportAddress): DatagramRoute {
    // Whoever has a route goes on with it: what is lost is that others share it.
    if (this.#size >= maximumDatagramRoutes) this.#clear();
    const remote = { address, port };
    const flow = `udp ${formatTransportAddress(local)} ${formatTransportAddress(remote)}`;
    const route: DatagramRoute = { transport: 'udp', local, remote, flow };
    const routes = this.#routes.get(local) ?? new TransportAddressMap();
    routes.set(remote, route);
    this.#routes.set(local, routes);
    this.#size++;
    return route;
  }

  #clear(): void {
    this.#routes.clear();
    this.#size = 0;
  }
}
