/**
 * The TCP and TLS connections of one SIP element (RFC 3261 §18): opened when a message needs one, used again for every message to the same
 * peer, closed when idle, cut into messages. Octets wait while a connection opens.
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../../base/machine.ts';
import { isMalformed } from '../../../base/malformed.ts';
import {
  type ConnectionId,
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../../../base/network.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { StreamFramer } from '../message/stream-framer.ts';
import type { SipTransportProtocol } from '../transaction/sip-event.ts';
import { connectionIdleMs, connectTimeoutMs, maximumConnections, maximumPendingOctets } from './limits.ts';
import type { StreamRoute } from './sip-route.ts';

interface Connection {
  readonly id: ConnectionId;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly transport: StreamTransport;
  /** Names of the peer that its certificate has shown to be true. */
  readonly peerNames: readonly string[];
  readonly framer: StreamFramer;
  /** Under which it is found for messages to that peer. */
  readonly keys: Set<string>;
  /** Absent once the connection is open. */
  pending: Uint8Array[] | undefined;
  pendingOctets: number;
  usedAt: Instant;
  /** When octets last came. */
  heardAt: Instant;
}

export type StreamTransport = Exclude<SipTransportProtocol, 'udp'>;

export type ConnectionEvent =
  | {
      readonly kind: 'message';
      readonly transport: StreamTransport;
      readonly connection: ConnectionId;
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
      readonly octets: Uint8Array;
    }
  /** `wasRefused`: the peer never took it, so nothing that was sent left. */
  | {
      readonly kind: 'closed';
      readonly connection: ConnectionId;
      readonly transport: StreamTransport;
      readonly remote: TransportAddress;
      readonly wasRefused: boolean;
    };

const ping: Uint8Array = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a]);
const pong: Uint8Array = new Uint8Array([0x0d, 0x0a]);

export class SipConnections {
  readonly #random: RandomSource;
  /** In the order of their last use: the first one is idle for longest. */
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #byPeer = new Map<string, Connection>();
  readonly #opening = new DeadlineQueue<ConnectionId>();
  readonly #outputs: Fifo<NetworkOutput>;
  readonly #events = new Fifo<ConnectionEvent>();

  constructor(random: RandomSource, outputs: Fifo<NetworkOutput>) {
    this.#random = random;
    this.#outputs = outputs;
  }

  /** An accepted connection is taken by whoever listens on its local address. */
  accept(
    id: ConnectionId,
    route: {
      readonly transport: StreamTransport;
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
    },
    peerNames: readonly string[],
    now: Instant,
  ): void {
    const { transport, local, remote } = route;
    const keys = [peerKey(transport, local, remote, undefined)];
    this.#add({ ...idle(id, transport, local, remote, now), peerNames, keys: new Set(keys) });
  }

  /**
   * Connection reuse (RFC 5923 §8): the client of this TLS connection wants requests to sent-by over it, and its certificate shows that
   * it is sent-by. Otherwise anybody could draw another's requests to himself.
   */
  addAlias(id: ConnectionId, host: string, port: number): void {
    const connection = this.#connections.get(id);
    if (connection?.transport !== 'tls') return;
    const name = host.toLowerCase();
    if (!connection.peerNames.some((peerName) => peerName.toLowerCase() === name)) return;
    const remote = { address: connection.remote.address, port };
    this.#file(connection, peerKey('tls', connection.local, remote, name));
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind === 'connection-established') this.#establish(input.connection, now);
    else if (input.kind === 'stream-received') this.#receive(input.connection, input.payload, now);
    else if (input.kind === 'connection-closed') {
      const isOpening = this.#connections.get(input.connection)?.pending !== undefined;
      this.#forget(input.connection, isOpening);
    }
  }

  handleTimeout(now: Instant): void {
    for (let id = this.#opening.takeDue(now); id !== undefined; id = this.#opening.takeDue(now))
      this.#close(id, true);
    for (const { id, usedAt } of this.#connections.values()) {
      if (usedAt + connectionIdleMs > now) break;
      this.#close(id);
    }
  }

  pollTimeout(): Timeout | undefined {
    const [longestIdle] = this.#connections.values();
    const idle = longestIdle && { at: longestIdle.usedAt + connectionIdleMs, reason: 'connection idle' };
    return earlierTimeout(this.#opening.peek(), idle);
  }

  pollEvent(): ConnectionEvent | undefined {
    return this.#events.shift();
  }

  /** Sends over `preferred` if that is still there, else over any connection to that peer, else opens one. Returns which it was. */
  send(octets: Uint8Array, route: StreamRoute, now: Instant): ConnectionId {
    const { transport, local, remote, connection: preferred, serverName } = route;
    const known = preferred === undefined ? undefined : this.#connections.get(preferred);
    const key = peerKey(transport, local, remote, serverName);
    const connection = known ?? this.#byPeer.get(key) ?? this.#open(route, key, now);
    this.#touch(connection, now);
    if (connection.pending === undefined) this.#transmit(connection.id, octets);
    else if (connection.pendingOctets + octets.length <= maximumPendingOctets) {
      connection.pending.push(octets);
      connection.pendingOctets += octets.length;
    }
    return connection.id;
  }

  /** Sends a keep-alive (RFC 5626 §4.4.1) between messages; false when there is no open connection that way. */
  ping(route: StreamRoute): boolean {
    if (!this.isOpen(route)) return false;
    this.#transmit(this.#connectionFor(route)!.id, ping);
    return true;
  }

  isOpen(route: StreamRoute): boolean {
    const connection = this.#connectionFor(route);
    return connection !== undefined && connection.pending === undefined;
  }

  isHeardSince(route: StreamRoute, since: Instant): boolean {
    return (this.#connectionFor(route)?.heardAt ?? Number.NEGATIVE_INFINITY) > since;
  }

  #connectionFor({ transport, local, remote, serverName }: StreamRoute): Connection | undefined {
    return this.#byPeer.get(peerKey(transport, local, remote, serverName));
  }

  /** Closes every connection of that transport from that address. */
  closeAllFrom(address: string, wanted: StreamTransport): void {
    for (const { id, local, transport } of [...this.#connections.values()])
      if (local.address === address && transport === wanted) this.#close(id);
  }

  #open({ transport, local, remote, serverName }: StreamRoute, key: string, now: Instant): Connection {
    const id = `o${randomToken(this.#random, 12)}`;
    const from = { address: local.address, port: 0 };
    const connection = {
      ...idle(id, transport, from, remote, now),
      keys: new Set([key]),
      pending: [],
    };
    this.#add(connection);
    this.#opening.set(id, now + connectTimeoutMs, 'connection does not open');
    const connect = { kind: 'connect', connection: id, local: from, remote } as const;
    const tls = { serverName: serverName ?? remote.address };
    this.#outputs.push(transport === 'tls' ? { ...connect, tls } : connect);
    return connection;
  }

  #add(connection: Connection): void {
    const [longestIdle] = this.#connections.keys();
    if (longestIdle !== undefined && this.#connections.size >= maximumConnections) this.#close(longestIdle);
    this.#connections.set(connection.id, connection);
    for (const key of connection.keys) this.#byPeer.set(key, connection);
  }

  #file(connection: Connection, key: string): void {
    connection.keys.add(key);
    this.#byPeer.set(key, connection);
  }

  #establish(id: ConnectionId, now: Instant): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#opening.delete(id);
    this.#touch(connection, now);
    const pending = connection.pending ?? [];
    connection.pending = undefined;
    for (const octets of pending) this.#transmit(id, octets);
  }

  #receive(id: ConnectionId, payload: Uint8Array, now: Instant): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#touch(connection, now);
    connection.heardAt = now;
    const { framer, transport, local, remote } = connection;
    framer.push(payload);
    for (let frame = framer.pollFrame(); frame !== undefined; frame = framer.pollFrame()) {
      if (isMalformed(frame)) {
        // RFC 3261 §18.3: without a usable Content-Length nobody knows where the next message begins.
        this.#close(id);
        return;
      }
      if (frame.kind === 'ping') this.#transmit(id, pong);
      else
        this.#events.push({
          kind: 'message',
          connection: id,
          transport,
          local,
          remote,
          octets: frame.octets,
        });
    }
  }

  #touch(connection: Connection, now: Instant): void {
    connection.usedAt = now;
    this.#connections.delete(connection.id);
    this.#connections.set(connection.id, connection);
  }

  #transmit(connection: ConnectionId, payload: Uint8Array): void {
    this.#outputs.push({ kind: 'transmit', transport: 'tcp', connection, payload });
  }

  #close(id: ConnectionId, wasRefused = false): void {
    this.#outputs.push({ kind: 'close', connection: id });
    this.#forget(id, wasRefused);
  }

  #forget(id: ConnectionId, wasRefused: boolean): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#connections.delete(id);
    this.#opening.delete(id);
    for (const key of connection.keys) if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
    const { transport, remote } = connection;
    this.#events.push({ kind: 'closed', connection: id, transport, remote, wasRefused });
  }
}

function idle(
  id: ConnectionId,
  transport: StreamTransport,
  local: TransportAddress,
  remote: TransportAddress,
  now: Instant,
) {
  const framer = new StreamFramer();
  return {
    id,
    transport,
    local,
    remote,
    framer,
    peerNames: [],
    pending: undefined,
    pendingOctets: 0,
    usedAt: now,
    heardAt: now,
  };
}

/** A TLS connection serves only the name that its peer's certificate was checked for (RFC 5922 §7.3). */
function peerKey(
  transport: StreamTransport,
  local: TransportAddress,
  remote: TransportAddress,
  serverName: string | undefined,
): string {
  const name = transport === 'tls' ? ` ${(serverName ?? remote.address).toLowerCase()}` : '';
  return `${transport} ${local.address} ${formatTransportAddress(remote)}${name}`;
}
