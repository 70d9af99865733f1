/**
 * A host in virtual time: addresses on links, UDP ports, TCP, an optional packet translator or tunnel, and the network functions that
 * run on it, under the same contract as on a real machine (base/network.ts, runtime/host.ts).
 *
 *   processes ─ UDP, TCP ─ [translator: output] ─ [tunnel] ─ link of the source address ─▶ network
 *   processes ◀ UDP, TCP ◀ own address? ◀ [translator: prerouting] ◀ [tunnel] ◀─────── link
 *                              └─ no, and it translates or tunnels: forwarded
 */
import type { DnsQuery, NetworkOutput, TransportAddress } from '../base/network.ts';
import { formatTransportAddress } from '../base/network.ts';
import type { TunnelPlacement } from '../protocols/mobile-ip/tunnel-state.ts';
import type { FlowKey, TranslationOperation } from '../translation/translation-operation.ts';
import type { TcpStatistics } from './tcp-connection.ts';
import type { VirtualAccessRouter } from './virtual-access-router.ts';
import { VirtualHold } from './virtual-hold.ts';
import { type LinkOptions, VirtualLink } from './virtual-link.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualPacket } from './virtual-packet.ts';
import { type NetworkUser, type ProcessOptions, VirtualProcess } from './virtual-process.ts';
import { VirtualTcp } from './virtual-tcp.ts';
import { VirtualTranslator } from './virtual-translator.ts';
import { VirtualTunnel } from './virtual-tunnel.ts';

export class VirtualHost {
  readonly name: string;
  readonly #network: VirtualNetwork;
  readonly #links: VirtualLink[] = [];
  /** Which link an address is on; undefined for one on the loopback interface. */
  readonly #addresses = new Map<string, VirtualLink | undefined>();
  /** Addresses whose packets are for the translator alone. */
  readonly #translated = new Map<string, VirtualLink>();
  readonly #udpPorts = new Map<string, NetworkUser>();
  readonly #processes: NetworkUser[] = [];
  readonly #tcp: VirtualTcp;
  readonly #translator = new VirtualTranslator(this.#translated);
  readonly #holds = { downlink: new VirtualHold(), uplink: new VirtualHold() };
  #tunnel: VirtualTunnel | undefined;

  constructor(name: string, network: VirtualNetwork) {
    this.name = name;
    this.#network = network;
    this.#tcp = new VirtualTcp(network.simulation, {
      send: (packet) => this.#send(packet),
      hasAddress: (address) => this.#addresses.has(address),
      defaultAddress: () => this.#defaultAddress(),
    });
  }

  /** `router`: what stands at the network's end of the link. */
  attach(name: string, options: LinkOptions, router?: VirtualAccessRouter): VirtualLink {
    const random = this.#network.newRandomSource();
    const link = new VirtualLink(name, options, this.#network.simulation, random, {
      toNetwork: (packet) => {
        const passed = router === undefined ? packet : router.outbound(packet);
        if (passed !== undefined) this.#network.forward(passed);
      },
      toHost: (packet) => this.#receive(packet),
      ...(router && { fromNetwork: (packet: VirtualPacket) => router.inbound(packet) }),
    });
    this.#links.push(link);
    return link;
  }

  /** An end of Mobile IP's tunnels, for which the host has one at most. */
  openTunnel(placement: TunnelPlacement): VirtualTunnel {
    this.#tunnel = new VirtualTunnel(placement);
    return this.#tunnel;
  }

  /**
   * Without a link the address is on the loopback interface, as the mobile node's internal address. A hidden one is known to nobody but
   * the link's router, which translates it.
   */
  addAddress(address: string, link?: VirtualLink, reach: 'routed' | 'hidden' = 'routed'): void {
    this.#addresses.set(address, link);
    if (link !== undefined && reach === 'routed') this.#network.route(address, link);
  }

  /** TCP connections from that address are reset; datagrams from it are refused. */
  removeAddress(address: string): void {
    if (this.#addresses.get(address) !== undefined) this.#network.route(address, undefined);
    this.#addresses.delete(address);
    this.#tcp.abortFrom(address);
  }

  /** An address of a translator's pool: what matches no binding is dropped. */
  addTranslatedAddress(address: string, link: VirtualLink): void {
    this.#translated.set(address, link);
    this.#network.route(address, link);
  }

  /** One transaction of the effect 'translate'; throws TRANSLATION_REFUSED when it contradicts the state. */
  translate(operations: readonly TranslationOperation[]): void {
    this.#translator.apply(operations);
  }

  /** Calls `onUsed` once, when the first packet of one of the flows has been translated here. Replaces an earlier watch. */
  watchFlows(flows: readonly FlowKey[], onUsed: () => void): void {
    this.#translator.watch(flows, onUsed);
  }

  /** Segments of these flows that come in (downlink) or are sent (uplink) from now on wait until they may pass. */
  hold(direction: 'downlink' | 'uplink'): Pick<VirtualHold, 'hold' | 'pass'> {
    return this.#holds[direction];
  }

  /** Retransmissions and timeouts of all TCP connections of this host so far. */
  get tcpStatistics(): Readonly<TcpStatistics> {
    return this.#tcp.statistics;
  }

  /** Runs a network function here; it is started by a request of its own (`perform`). */
  run<Input, Event, Effect>(
    options: ProcessOptions<Input, Event, Effect>,
  ): VirtualProcess<Input, Event, Effect> {
    const user: VirtualProcess<Input, Event, Effect> = new VirtualProcess(options, this.name, {
      simulation: this.#network.simulation,
      trace: this.#network.trace,
      perform: (output) => this.#perform(user, output),
    });
    this.#processes.push(user);
    return user;
  }

  /** The power goes: no process of this host does anything any more, and nothing gets out. */
  kill(): void {
    for (const user of this.#processes) user.stop();
    for (const link of this.#links) link.setUp(false);
  }

  #perform(user: NetworkUser, output: NetworkOutput): void {
    switch (output.kind) {
      case 'listen':
        if (output.transport === 'udp') this.#udpPorts.set(formatTransportAddress(output.local), user);
        else this.#tcp.listen(output.local, user);
        break;
      case 'stop-listening':
        if (output.transport === 'udp') this.#udpPorts.delete(formatTransportAddress(output.local));
        else this.#tcp.stopListening(output.local);
        break;
      case 'transmit':
        if (output.transport === 'tcp') this.#tcp.transmit(user, output.connection, output.payload);
        else this.#sendDatagram(user, output.local, output.remote, output.payload);
        break;
      case 'resolve':
        this.#resolve(user, output.query);
        break;
      case 'connect':
        this.#tcp.connect(user, output.connection, output.local, output.remote);
        break;
      case 'close':
        this.#tcp.close(user, output.connection);
        break;
    }
  }

  /** A DNS that is next door. */
  #resolve(user: NetworkUser, query: DnsQuery): void {
    const records = this.#network.zone.get(`${query.type} ${query.name}`) ?? [];
    this.#network.simulation.schedule(0, () => user.handleInput({ kind: 'resolved', query, records }));
  }

  #sendDatagram(
    user: NetworkUser,
    local: TransportAddress,
    remote: TransportAddress,
    payload: Uint8Array,
  ): void {
    const isOpen = this.#udpPorts.get(formatTransportAddress(local)) === user;
    if (!isOpen || !this.#addresses.has(local.address)) {
      user.handleInput({ kind: 'datagram-refused', local, remote });
      return;
    }
    user.observe({ direction: 'sent', local, remote, payload });
    this.#send({
      source: local.address,
      sourcePort: local.port,
      destination: remote.address,
      destinationPort: remote.port,
      content: { protocol: 'udp', payload },
    });
  }

  #send(original: VirtualPacket): void {
    if (!this.#holds.uplink.isHeld(original, () => this.#translateAndSend(original)))
      this.#translateAndSend(original);
  }

  #translateAndSend(original: VirtualPacket): void {
    const packet = this.#translator.translate(original) ?? original;
    if (this.#addresses.has(packet.destination))
      this.#network.simulation.schedule(0, () => this.#deliver(packet));
    else if (!this.#sendThroughTunnel(packet)) this.#linkFor(packet.source)?.sendUp(packet);
  }

  #sendThroughTunnel(packet: VirtualPacket): boolean {
    const datagrams = this.#tunnel?.encapsulate(packet);
    for (const datagram of datagrams ?? []) this.#linkFor(datagram.source)?.sendUp(datagram);
    return datagrams !== undefined;
  }

  /** The route follows the source address: a mobile node has one per access. */
  #linkFor(source: string): VirtualLink | undefined {
    return this.#addresses.get(source) ?? this.#translated.get(source);
  }

  #receive(original: VirtualPacket): void {
    if (this.#holds.downlink.isHeld(original, () => this.#receivePassed(original))) return;
    this.#receivePassed(original);
    this.#holds.downlink.received(original);
  }

  #receivePassed(original: VirtualPacket): void {
    if (original.content.protocol === 'udp' && original.content.tunnelled !== undefined)
      this.#receiveFromTunnel(original);
    else if (this.#addresses.has(original.destination) || !this.#sendThroughTunnel(original))
      this.#receiveOrTranslate(original);
  }

  /** What is for others goes on over the link that the datagram came from: the home link. */
  #receiveFromTunnel(datagram: VirtualPacket): void {
    const packet = this.#tunnel?.decapsulate(datagram);
    if (packet === undefined) return;
    if (this.#addresses.has(packet.destination)) this.#receive(packet);
    else if (!this.#sendThroughTunnel(packet)) this.#linkFor(datagram.destination)?.sendUp(packet);
  }

  #receiveOrTranslate(original: VirtualPacket): void {
    const packet = this.#translator.translate(original);
    if (packet !== undefined && !this.#addresses.has(packet.destination))
      this.#linkFor(packet.source)?.sendUp(packet);
    else if (packet !== undefined || this.#addresses.has(original.destination))
      this.#deliver(packet ?? original);
  }

  #deliver(packet: VirtualPacket): void {
    const local = { address: packet.destination, port: packet.destinationPort };
    const remote = { address: packet.source, port: packet.sourcePort };
    switch (packet.content.protocol) {
      case 'tcp':
        this.#tcp.receive(local, remote, packet.content.segment);
        break;
      case 'icmp':
        this.#udpPorts
          .get(formatTransportAddress(local))
          ?.handleInput({ kind: 'datagram-refused', local, remote });
        break;
      case 'udp': {
        const user = this.#udpPorts.get(formatTransportAddress(local));
        if (user === undefined) {
          this.#sendUnreachable(packet);
          break;
        }
        const { payload } = packet.content;
        user.observe({ direction: 'received', local, remote, payload });
        user.handleInput({ kind: 'datagram-received', local, remote, payload });
      }
    }
  }

  #sendUnreachable(packet: VirtualPacket): void {
    this.#send({
      source: packet.destination,
      sourcePort: packet.destinationPort,
      destination: packet.source,
      destinationPort: packet.sourcePort,
      content: { protocol: 'icmp' },
    });
  }

  #defaultAddress(): string | undefined {
    for (const [address, link] of this.#addresses) if (link?.isUp) return address;
    return undefined;
  }
}
