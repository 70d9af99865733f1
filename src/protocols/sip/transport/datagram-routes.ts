/**
 * The routes of datagrams, one for each pair of addresses: a transaction keeps its route for as long as it lasts, and there are a hundred
 * thousand transactions with the same few neighbours.
 */
import type { TransportAddress } from '../../../base/network.ts';
import { formatTransportAddress } from '../../../base/network.ts';
import { maximumDatagramRoutes } from './limits.ts';
import type { DatagramRoute } from './sip-route.ts';

export class DatagramRoutes {
  readonly #routes = new Map<string, DatagramRoute>();

  between(local: TransportAddress, remote: TransportAddress): DatagramRoute {
    const flow = `udp ${formatTransportAddress(local)} ${formatTransportAddress(remote)}`;
    const known = this.#routes.get(flow);
    if (known !== undefined) return known;
    // Whoever has a route goes on with it: what is lost is that others share it.
    if (this.#routes.size >= maximumDatagramRoutes) this.#routes.clear();
    const { address, port } = remote;
    const route: DatagramRoute = { transport: 'udp', local, remote: { address, port }, flow };
    this.#routes.set(flow, route);
    return route;
  }
}
