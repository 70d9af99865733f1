/**
 * SIP transport over UDP, TCP and TLS (RFC 3261 §18, RFC 3581, RFC 5923, keep-alives of RFC 5626): between octets of the
 * host and screened messages of the transactions. Leaves out multicast, and listening on wildcard addresses: a Via names an address.
 */
import { Fifo } from '../../../base/fifo.ts';
import type { DurationMs, Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../../base/machine.ts';
import {
  type ConnectionId,
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  sameTransportAddress,
  type TransportAddress,
} from '../../../base/network.ts';
import type { RandomSource } from '../../../base/random-source.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipMessage } from '../message/sip-message.ts';
import type { SipArrival, SipTarget, SipTransportProtocol } from '../transaction/sip-event.ts';
import { DatagramRoutes } from './datagram-routes.ts';
import { FlowKeeper, type FlowKeeperOwner, type KeptFlow } from './flow-keeper.ts';
import { maximumRefusingPeers, tcpRefusedMs } from './limits.ts';
import { screenMessage } from './message-screening.ts';
import { type ConnectionEvent, SipConnections } from './sip-connections.ts';
import { type DatagramRoute, markReceived, responseTarget, type SipRoute } from './sip-route.ts';
import { answerBinding, decodeBinding, isStun } from './stun-binding.ts';
import type { StunTransactionId } from './stun-transactions.ts';

export interface SipListener {
  readonly transport: SipTransportProtocol;
  readonly address: string;
  readonly port: number;
}

/** Names what a message was sent over, so that its failure can be told. */
export type SipFlow = string;

export type SipTransportEvent =
  | {
      readonly kind: 'message-received';
      readonly message: SipMessage;
      readonly arrival: SipArrival;
      readonly connection?: ConnectionId | undefined;
    }
  /** `wasRefused`: a connection that never opened; otherwise it broke, or a datagram was refused. */
  | { readonly kind: 'flow-failed'; readonly flow: SipFlow; readonly wasRefused: boolean }
  /** A flow that was to be kept alive is not (RFC 5626 §4.4). */
  | { readonly kind: 'kept-flow-failed'; readonly flow: KeptFlow }
  | { readonly kind: 'flow-answered'; readonly check: StunTransactionId };

export interface SipTransportCounters {
  received: number;
  /** Requests answered without state because they are malformed or unacceptable. */
  refused: number;
  /** Malformed responses, and octets that are no SIP. */
  dropped: number;
}

export class SipTransport implements FlowKeeperOwner {
  readonly counters: SipTransportCounters = { received: 0, refused: 0, dropped: 0 };
  readonly #listeners: SipListener[];
  readonly #outputs = new Fifo<NetworkOutput>();
  readonly #events = new Fifo<SipTransportEvent>();
  readonly #routes = new DatagramRoutes();
  readonly #connections: SipConnections;
  readonly #keeper: FlowKeeper;
  /** Peers that do not take TCP, and until when that is believed; the oldest entry first. */
  readonly #tcpRefusedUntil = new Map<string, Instant>();

  constructor(listeners: readonly SipListener[], random: RandomSource) {
    this.#listeners = [...listeners];
    this.#connections = new SipConnections(random, this.#outputs);
    this.#keeper = new FlowKeeper(random, this);
  }

  start(): void {
    for (const listener of this.#listeners) this.#outputs.push({ kind: 'listen', ...bindingOf(listener) });
  }

  addListener(listener: SipListener): void {
    if (this.#isListening(listener.transport, listener)) return;
    this.#listeners.push(listener);
    this.#outputs.push({ kind: 'listen', ...bindingOf(listener) });
  }

  removeListener(listener: SipListener, now: Instant): void {
    const index = this.#listeners.findIndex((other) => isSameListener(other, listener));
    if (index < 0) return;
    this.#listeners.splice(index, 1);
    this.#keeper.releaseAllFrom(listener);
    this.#outputs.push({ kind: 'stop-listening', ...bindingOf(listener) });
    if (listener.transport === 'udp') return;
    this.#connections.closeAllFrom(listener.address, listener.transport);
    this.#drainConnections(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind === 'datagram-received') {
      if (this.#isListening('udp', input.local)) this.#receiveDatagram(input, now);
    } else if (input.kind === 'datagram-refused')
      this.#failFlow(this.#routes.between(input.local, input.remote));
    else if (input.kind === 'connection-accepted') {
      this.#accept(input, now);
    } else this.#connections.handleInput(input, now);
    this.#drainConnections(now);
  }

  /** By whichever transport something of ours listens there; what comes for others is left alone. */
  #accept(input: Extract<NetworkInput, { kind: 'connection-accepted' }>, now: Instant): void {
    const { connection, local, remote, peerNames = [] } = input;
    for (const transport of ['tcp', 'tls'] as const)
      if (this.#isListening(transport, local))
        this.#connections.accept(connection, { transport, local, remote }, peerNames, now);
  }

  handleTimeout(now: Instant): void {
    this.#keeper.handleTimeout(now);
    this.#connections.handleTimeout(now);
    this.#drainConnections(now);
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#connections.pollTimeout(), this.#keeper.pollTimeout());
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }

  pollEvent(): SipTransportEvent | undefined {
    return this.#events.shift();
  }

  /** The own address that a message to this target leaves from; `undefined` when none fits. */
  localFor(transport: SipTransportProtocol, target: SipTarget): TransportAddress | undefined {
    const { local } = target;
    if (transport === 'udp' && local !== undefined)
      return this.#isListening('udp', local) ? local : undefined;
    const fits = (listener: SipListener): boolean =>
      local === undefined
        ? listener.address.includes(':') === target.address.includes(':')
        : listener.address === local.address;
    // An element that only listens on UDP may still open connections; answers come back over them.
    const listener =
      this.#listeners.find((candidate) => candidate.transport === transport && fits(candidate)) ??
      (transport === 'udp' ? undefined : this.#listeners.find(fits));
    return listener && { address: listener.address, port: listener.port };
  }

  /** What messages can leave by: for choosing among servers. */
  get ability(): { readonly transports: SipTransportProtocol[]; readonly families: ('a' | 'aaaa')[] } {
    const isIpv6 = (listener: SipListener): boolean => listener.address.includes(':');
    const listens = (transport: SipTransportProtocol): boolean =>
      this.#listeners.some((listener) => listener.transport === transport);
    const families: ('a' | 'aaaa')[] = [];
    if (this.#listeners.some(isIpv6)) families.push('aaaa');
    if (!this.#listeners.every(isIpv6)) families.push('a');
    return { transports: (['udp', 'tcp', 'tls'] as const).filter(listens), families };
  }

  /** Whether a response could come in over a new connection when the one of the request has closed. */
  acceptsConnections(transport: SipTransportProtocol, local: TransportAddress): boolean {
    return this.#isListening(transport, local);
  }

  /** A request wants further requests to its sender over the same connection (RFC 5923). */
  addAlias(connection: ConnectionId, sentBy: TransportAddress): void {
    this.#connections.addAlias(connection, sentBy.address, sentBy.port);
  }

  /** RFC 3261 §18.1.1: who refused TCP gets large requests by UDP. */
  refusesTcp(remote: TransportAddress, now: Instant): boolean {
    const until = this.#tcpRefusedUntil.get(formatTransportAddress(remote));
    return until !== undefined && until > now;
  }

  /** For a message of ours; over UDP always the same route for the same pair of addresses. */
  routeTo(transport: SipTransportProtocol, local: TransportAddress, target: SipTarget): SipRoute {
    if (transport === 'udp') return this.#routes.between(local, target);
    const { address, port, serverName } = target;
    return { transport, local, remote: { address, port }, serverName };
  }

  /** For the response to a request, or to one of which `message` is the answer. */
  responseRoute(message: SipMessage, arrival: SipArrival, connection: ConnectionId | undefined): SipRoute {
    const { transport, local } = arrival;
    const remote = responseTarget(message, arrival);
    return transport === 'udp'
      ? this.#routes.between(local, remote)
      : { transport, local, remote, connection };
  }

  send(octets: Uint8Array, route: SipRoute, now: Instant): SipFlow {
    if (route.transport !== 'udp') {
      const flow = streamFlow(this.#connections.send(octets, route, now));
      this.#drainConnections(now);
      return flow;
    }
    const { transport, local, remote, flow } = route;
    if (this.#isListening('udp', local))
      this.#outputs.push({ kind: 'transmit', transport, local, remote, payload: octets });
    // The address went away after the request had come in over it.
    else this.#failFlow(route);
    return flow;
  }

  #failFlow({ flow }: DatagramRoute): void {
    this.#events.push({ kind: 'flow-failed', flow, wasRefused: false });
  }

  /** RFC 5626 §4.4: keep-alives go over this flow until it is released, fails or loses its address. */
  keepFlow(flow: KeptFlow, flowTimerMs: DurationMs | undefined, now: Instant): void {
    this.#keeper.keep(flow, flowTimerMs, now);
  }

  checkFlow(flow: KeptFlow, now: Instant): StunTransactionId | undefined {
    return this.#keeper.check(flow, now);
  }

  releaseFlow(flow: KeptFlow): void {
    this.#keeper.release(flow);
  }

  hasFlow({ transport, ...flow }: KeptFlow): boolean {
    if (transport === 'udp') return this.#isListening('udp', flow.local);
    return this.#connections.isOpen({ ...flow, transport });
  }

  sendDatagram(payload: Uint8Array, { local, remote }: KeptFlow): void {
    this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote, payload });
  }

  ping(flow: KeptFlow): boolean {
    return flow.transport !== 'udp' && this.#connections.ping({ ...flow, transport: flow.transport });
  }

  isHeardSince(flow: KeptFlow, since: Instant): boolean {
    const { transport } = flow;
    return transport !== 'udp' && this.#connections.isHeardSince({ ...flow, transport }, since);
  }

  flowAnswered(check: StunTransactionId): void {
    this.#events.push({ kind: 'flow-answered', check });
  }

  flowFailed(flow: KeptFlow): void {
    this.#events.push({ kind: 'kept-flow-failed', flow });
  }

  /** RFC 5626 §8: every port of SIP over UDP is a small STUN server. */
  #receiveDatagram(
    { local, remote, payload }: Extract<NetworkInput, { kind: 'datagram-received' }>,
    now: Instant,
  ): void {
    const message = isStun(payload) ? decodeBinding(payload) : undefined;
    if (message === undefined)
      this.#receive(payload, { transport: 'udp', local, source: remote }, undefined, now);
    else if (message.kind !== 'request') this.#keeper.handleStun(payload, local, remote, now);
    else this.sendDatagram(answerBinding(payload, message, remote), { transport: 'udp', local, remote });
  }

  #receive(
    octets: Uint8Array,
    arrival: SipArrival,
    connection: ConnectionId | undefined,
    now: Instant,
  ): void {
    if (isKeepAlive(octets)) return;
    this.counters.received++;
    const screened = screenMessage(octets);
    if (screened.kind === 'dropped') this.counters.dropped++;
    else if (screened.kind === 'refused') {
      this.counters.refused++;
      const { response } = screened;
      markReceived(response, arrival.source);
      this.send(serializeSipMessage(response), this.responseRoute(response, arrival, connection), now);
    } else {
      const { message } = screened;
      if (message.kind === 'request') markReceived(message, arrival.source);
      this.#events.push({ kind: 'message-received', message, arrival, connection });
    }
  }

  #drainConnections(now: Instant): void {
    for (
      let event = this.#connections.pollEvent();
      event !== undefined;
      event = this.#connections.pollEvent()
    )
      this.#handleConnectionEvent(event, now);
  }

  #handleConnectionEvent(event: ConnectionEvent, now: Instant): void {
    if (event.kind === 'message') {
      const { connection, transport, local, remote, octets } = event;
      this.#receive(octets, { transport, local, source: remote }, connection, now);
      return;
    }
    if (event.wasRefused && event.transport === 'tcp')
      this.#rememberRefusal(formatTransportAddress(event.remote), now);
    const flow = streamFlow(event.connection);
    this.#events.push({ kind: 'flow-failed', flow, wasRefused: event.wasRefused });
  }

  #rememberRefusal(peer: string, now: Instant): void {
    const [oldest] = this.#tcpRefusedUntil.keys();
    if (oldest !== undefined && this.#tcpRefusedUntil.size >= maximumRefusingPeers)
      this.#tcpRefusedUntil.delete(oldest);
    this.#tcpRefusedUntil.delete(peer);
    this.#tcpRefusedUntil.set(peer, now + tcpRefusedMs);
  }

  #isListening(transport: SipTransportProtocol, local: TransportAddress): boolean {
    for (const listener of this.#listeners)
      if (listener.transport === transport && sameTransportAddress(listener, local)) return true;
    return false;
  }
}

function bindingOf(listener: SipListener): { transport: SipTransportProtocol; local: TransportAddress } {
  return { transport: listener.transport, local: { address: listener.address, port: listener.port } };
}

function isSameListener(a: SipListener, b: SipListener): boolean {
  return a.transport === b.transport && sameTransportAddress(a, b);
}

function streamFlow(connection: ConnectionId): SipFlow {
  return `stream ${connection}`;
}

/** Empty lines keep an address translator's mapping alive (RFC 5626 §4.4.1) and are no message. */
function isKeepAlive(octets: Uint8Array): boolean {
  return octets.length <= 4 && octets.every((octet) => octet === 0x0d || octet === 0x0a);
}
