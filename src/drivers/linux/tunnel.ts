/**
 * One end of Mobile IP's tunnels on the kernel (MIP–SIP fig. 3; RFC 3519, RFC 3024): at the home agent the common end point of all home
 * addresses, at a correspondent that of those it sends to itself, at the mobile node that of its own. This is the handle in the main thread: device, sockets, routes, and what passes between
 * the threads and the Mobile IP machine. The packets pass in two worker threads (tunnel-encapsulator.ts, tunnel-decapsulator.ts), which
 * run this same file.
 *
 * Every home address has a path MTU, the smallest of its endpoints', so that no handover changes it (1468 on links of 1500). At an
 * agent it is that of the home address's route, at the mobile node the device's: so the kernel itself fragments before encapsulation
 * and tells senders of packets with DF what fits.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TransportAddress } from '../../base/network.ts';
import { formatTransportAddress } from '../../base/network.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type {
  TunnelBinding,
  TunnelChange,
  TunnelEncapsulation,
  TunnelEndpoint,
  TunnelPlacement,
  TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';
import { correspondentTable } from './correspondent-routing.ts';
import { KernelParameters } from './kernel-parameters.ts';
import { NetworkNamespace } from './network-namespace.ts';
import type { Route } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { socketAddress } from './socket-address.ts';
import { sysctlsOf } from './sysctl.ts';
import { closeDescriptor, openEvent, raiseEvent, send } from './system-calls.ts';
import { TunDevice } from './tun-device.ts';
import { runDecapsulator } from './tunnel-decapsulator.ts';
import { runEncapsulator } from './tunnel-encapsulator.ts';
import {
  type LoopBinding,
  type LoopEndpoint,
  type TunnelCommand,
  type TunnelCounters,
  type TunnelLoopSettings,
  type TunnelReport,
  tunnelCounters,
} from './tunnel-loop.ts';
import { giveWay, ipv4Number, ipv4Text, openTunnelSocket, pathMtu } from './tunnel-sockets.ts';

export interface TunnelOptions {
  /** A correspondent's routes are in a table of their own, which correspondent-routing.ts leads to. */
  readonly placement: TunnelPlacement;
  /** Name of the TUN device, at most 15 characters. */
  readonly device: string;
  /** At the mobile node: destinations that its home address reaches through the tunnel; "0.0.0.0/0" is the default route. */
  readonly destinations?: readonly string[];
  /** A datagram for the machine: no tunnel data, or an echo probe. */
  readonly onDatagram: (local: TransportAddress, remote: TransportAddress, payload: Uint8Array) => void;
}

export class Tunnel {
  readonly #options: TunnelOptions;
  readonly #device: TunDevice;
  readonly #rtnetlink = new Rtnetlink();
  readonly #namespace = NetworkNamespace.current();
  readonly #parameters: KernelParameters;
  readonly #counters = new SharedArrayBuffer(8 * tunnelCounters.length);
  readonly #threads: readonly Thread[];
  readonly #sockets = new Map<string, { readonly fd: number; readonly local: TransportAddress }>();
  /** Threads that still use the descriptor of a closed socket. */
  readonly #closing = new Map<number, number>();
  readonly #bindings = new Map<string, { readonly binding: TunnelBinding; mtu: number }>();

  /**
   * Makes the device in the calling thread's network namespace, where the tunnel then stays, and sets the kernel parameters that a tunnel end needs. Does not keep the
   * process alive. Throws EPERM without CAP_NET_ADMIN, EBUSY when there is such a device.
   */
  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#device = new TunDevice(options.device);
    this.#parameters = openParameters(options);
    this.#threads = (['encapsulator', 'decapsulator'] as const).map((role) => this.#startThread(role));
  }

  /** Opens the socket of a local address. Throws EADDRINUSE. */
  listen(local: TransportAddress): void {
    const key = formatTransportAddress(local);
    if (this.#sockets.has(key)) return;
    const fd = this.#namespace.run(() => openTunnelSocket(local));
    this.#sockets.set(key, { fd, local });
    this.#command({ kind: 'open', fd });
    this.#bindAgain(({ local: other }) => formatTransportAddress(other) === key);
  }

  stopListening(local: TransportAddress): void {
    const key = formatTransportAddress(local);
    const socket = this.#sockets.get(key);
    if (socket === undefined) return;
    this.#sockets.delete(key);
    this.#bindAgain(({ local: other }) => formatTransportAddress(other) === key);
    giveWay(socket.fd, true);
    this.#closing.set(socket.fd, this.#threads.length);
    this.#command({ kind: 'close', fd: socket.fd });
  }

  /** Sends a datagram of the machine. False when it could not leave: no such socket, no path, no room. */
  send(local: TransportAddress, remote: TransportAddress, payload: Uint8Array): boolean {
    const socket = this.#sockets.get(formatTransportAddress(local));
    if (socket === undefined) return false;
    try {
      send(socket.fd, payload, socketAddress(remote));
      return true;
    } catch (error) {
      if (error instanceof TrimaranError) return false;
      throw error;
    }
  }

  /** In force for the next packet. Endpoints whose local address is not listened on have no part until it is. */
  apply(change: TunnelChange): void {
    if (change.kind === 'bind') this.#bind(change.binding);
    else this.#unbind(change.homeAddress);
  }

  /** Octets of the largest packet that goes to and from a home address unfragmented; undefined when it is not bound. */
  mtuOf(homeAddress: string): number | undefined {
    return this.#bindings.get(homeAddress)?.mtu;
  }

  /** Since the tunnel was opened. */
  counters(): TunnelCounters {
    const values = new Float64Array(this.#counters);
    return Object.fromEntries(tunnelCounters.map((name, index) => [name, values[index]])) as TunnelCounters;
  }

  /** Takes everything away, the parameters' changes too. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(stopThread));
    for (const { fd } of this.#sockets.values()) closeDescriptor(fd);
    for (const fd of this.#closing.keys()) closeDescriptor(fd);
    this.#device.close();
    this.#rtnetlink.close();
    this.#namespace.run(() => this.#parameters.close());
    this.#namespace.close();
  }

  #startThread(role: 'encapsulator' | 'decapsulator'): Thread {
    const { placement } = this.#options;
    const event = openEvent();
    const settings: TunnelLoopSettings = {
      placement,
      tun: this.#device.fd,
      event,
      counters: this.#counters,
    };
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { tunnelThread: { role, settings } },
      // What the process was started with (--input-type, --test …) is not for its threads.
      execArgv: [],
    });
    worker.on('message', (report: TunnelReport) => this.#hear(report));
    worker.unref();
    return { worker, event };
  }

  #command(command: TunnelCommand): void {
    for (const thread of this.#threads) tell(thread, command);
  }

  #hear(report: TunnelReport): void {
    if (report.kind === 'too-big') {
      const { address, port } = report.destination;
      this.#bindAgain(({ remote }) => remote.port === port && ipv4Number(remote.address) === address);
    } else if (report.kind === 'closed') this.#closed(report.fd);
    else {
      const socket = [...this.#sockets.values()].find(({ fd }) => fd === report.fd);
      const remote = { address: ipv4Text(report.from.address), port: report.from.port };
      if (socket !== undefined) this.#options.onDatagram(socket.local, remote, report.payload);
    }
  }

  #closed(fd: number): void {
    const left = (this.#closing.get(fd) ?? 0) - 1;
    this.#closing.set(fd, left);
    if (left > 0) return;
    this.#closing.delete(fd);
    closeDescriptor(fd);
  }

  #bind(binding: TunnelBinding): void {
    const former = this.#bindings.get(binding.homeAddress);
    const mtu = this.#pathMtuOf(binding);
    const loopBinding = this.#loopBindingOf(binding, mtu);
    this.#bindings.set(binding.homeAddress, { binding, mtu });
    this.#command({ kind: 'bind', binding: loopBinding });
    if (former?.mtu === mtu) return;
    if (this.#options.placement === 'mobile-node')
      this.#configureDevice(binding.homeAddress, mtu, former === undefined);
    else this.#rtnetlink.replaceRoute({ ...this.#routeTo(binding), mtu });
  }

  #unbind(homeAddress: string): void {
    const bound = this.#bindings.get(homeAddress);
    if (bound === undefined) return;
    this.#bindings.delete(homeAddress);
    // Packets take their usual route before the tunnel would drop them.
    if (this.#options.placement === 'mobile-node')
      this.#rtnetlink.deleteAddress(this.#device.name, `${homeAddress}/32`);
    else this.#rtnetlink.deleteRoute(this.#routeTo(bound.binding));
    this.#command({ kind: 'unbind', homeAddress: ipv4Number(homeAddress) });
  }

  /** Where a socket or a path that bindings use has changed. */
  #bindAgain(concerns: (endpoint: TunnelEndpoint) => boolean): void {
    for (const { binding } of [...this.#bindings.values()])
      if (binding.endpoints.some(concerns)) this.#bind(binding);
  }

  #configureDevice(homeAddress: string, mtu: number, isNew: boolean): void {
    const { name } = this.#device;
    this.#rtnetlink.changeLink(name, { mtu });
    if (!isNew) return;
    this.#rtnetlink.addAddress(name, `${homeAddress}/32`);
    for (const destination of this.#options.destinations ?? [])
      this.#rtnetlink.replaceRoute({ destination, link: name, source: homeAddress });
  }

  #routeTo({ homeAddress, homeAgent: source }: TunnelBinding): Route & { readonly link: string } {
    const route = { destination: `${homeAddress}/32`, link: this.#device.name };
    return this.#options.placement === 'correspondent'
      ? { ...route, table: correspondentTable, source }
      : route;
  }

  #pathMtuOf({ endpoints }: TunnelBinding): number {
    const paths = endpoints.map(({ local, remote, encapsulation }) => {
      const overhead = overheadOctets[encapsulation];
      try {
        return this.#namespace.run(() => pathMtu(local, remote)) - overhead;
      } catch (error) {
        // An access that is going away says nothing about packets over the others.
        if (error instanceof TrimaranError) return usualMtu - overhead;
        throw error;
      }
    });
    return Math.max(smallestMtu, Math.min(usualMtu - overheadOctets.plain, ...paths));
  }

  #loopBindingOf(binding: TunnelBinding, mtu: number): LoopBinding {
    const toLoop = (endpoint: TunnelEndpoint): LoopEndpoint[] => {
      const socket = this.#sockets.get(formatTransportAddress(endpoint.local));
      const { remote, encapsulation, correspondentAddress: only } = endpoint;
      if (socket === undefined) return [];
      const correspondentAddress = only === undefined ? undefined : ipv4Number(only);
      const { address, port } = remote;
      return [{ fd: socket.fd, address: ipv4Number(address), port, encapsulation, correspondentAddress }];
    };
    return {
      homeAddress: ipv4Number(binding.homeAddress),
      homeAgent: ipv4Number(binding.homeAgent),
      segmentSize: mtu - tcpIpOctets,
      endpoints: binding.endpoints.flatMap(toLoop),
      rules: binding.rules.map(({ selector, endpoints }) => ({
        selector: toLoopSelector(selector),
        endpoints: endpoints.flatMap(toLoop),
      })),
    };
  }
}

function openParameters({ placement, device }: TunnelOptions): KernelParameters {
  const wanted = sysctlsOf(placement === 'home-agent' ? 'home' : placement, [4]);
  return new KernelParameters(`tunnel-${device}`, wanted);
}

function toLoopSelector({ correspondentAddress, ...rest }: TunnelSelector): TunnelSelector<number> {
  if (correspondentAddress === undefined) return rest;
  return { ...rest, correspondentAddress: ipv4Number(correspondentAddress) };
}

interface Thread {
  readonly worker: Worker;
  readonly event: number;
}

function tell({ worker, event }: Thread, command: TunnelCommand): void {
  worker.postMessage(command);
  raiseEvent(event);
}

async function stopThread(thread: Thread): Promise<void> {
  const ended = new Promise((resolve) => thread.worker.once('exit', resolve));
  thread.worker.ref();
  tell(thread, { kind: 'stop' });
  await ended;
  closeDescriptor(thread.event);
}

/** Outer IPv4 and UDP headers, and RFC 3519's own four octets. */
const overheadOctets: Readonly<Record<TunnelEncapsulation, number>> = { rfc3519: 32, plain: 28 };
/** Of the links that the Internet is made of; where the path is wider the tunnel does not use it. */
const usualMtu = 1500;
/** What every IPv4 link must carry (RFC 791 §3.2). */
const smallestMtu = 68;
const tcpIpOctets = 40;

interface ThreadData {
  readonly role: 'encapsulator' | 'decapsulator';
  readonly settings: TunnelLoopSettings;
}
const data = (workerData as { readonly tunnelThread?: ThreadData } | null)?.tunnelThread;
if (!isMainThread && parentPort !== null && data !== undefined) {
  const run = data.role === 'encapsulator' ? runEncapsulator : runDecapsulator;
  run(data.settings, parentPort);
}
