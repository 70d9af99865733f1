/**
 * The UDP ports of Mobile IP at one end of its tunnels (RFC 3519 §4.4: registrations share their port with the packets). The tunnel
 * driver owns these sockets; for a network function they are ports as all others (udp-port.ts).
 */
import type { TransportAddress } from '../base/network.ts';
import { TransportAddressMap } from '../base/transport-address-map.ts';
import { Tunnel, type TunnelOptions } from '../drivers/linux/tunnel.ts';
import { retryDelayMs } from './retry-delay.ts';
import type { DatagramPort, UdpPortOwner } from './udp-port.ts';

export class TunnelPorts {
  readonly tunnel: Tunnel;
  readonly #port: number;
  readonly #owners = new TransportAddressMap<UdpPortOwner>();

  /** Throws as the Tunnel does. */
  constructor(port: number, options: Omit<TunnelOptions, 'onDatagram'>) {
    this.#port = port;
    this.tunnel = new Tunnel({
      ...options,
      onDatagram: (local, remote, payload) => this.#owners.get(local)?.received(local, remote, payload),
    });
  }

  /** A port of the tunnel; undefined for one that is none of Mobile IP's. */
  open(local: TransportAddress, owner: UdpPortOwner): DatagramPort | undefined {
    if (local.port !== this.#port) return undefined;
    this.#owners.set(local, owner);
    const retry = this.#listen(local, owner);
    return {
      send: (remote, payload) => {
        // What cannot leave now is lost, as it could be anywhere on its way: Mobile IP repeats what is not answered.
        this.tunnel.send(local, remote, payload);
      },
      close: () => {
        retry.stop();
        this.#owners.delete(local);
        this.tunnel.stopListening(local);
      },
    };
  }

  /** Again and again until it succeeds: the address may come later. */
  #listen(local: TransportAddress, owner: UdpPortOwner): { stop(): void } {
    let timer: NodeJS.Timeout | undefined;
    const attempt = (attempts: number): void => {
      try {
        this.tunnel.listen(local);
        owner.opened(local);
      } catch (error) {
        owner.failed(local, error instanceof Error ? error : new Error(String(error)));
        timer = setTimeout(() => attempt(attempts + 1), retryDelayMs(attempts));
      }
    };
    attempt(0);
    return { stop: () => clearTimeout(timer) };
  }
}
