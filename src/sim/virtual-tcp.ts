/**
 * TCP of a virtual host: listeners, connections and their ports. A connection whose local address vanishes is reset at once, which a
 * kernel would notice only after its retransmissions.
 */
import type { Instant } from '../base/instant.ts';
import type { ConnectionId, TransportAddress } from '../base/network.ts';
import { formatTransportAddress } from '../base/network.ts';
import type { Actor, Simulation } from './simulation.ts';
import { resetFor, TcpConnection, type TcpStatistics } from './tcp-connection.ts';
import type { TcpSegment, VirtualPacket } from './virtual-packet.ts';
import type { NetworkUser } from './virtual-process.ts';

export interface TcpHost {
  send(packet: VirtualPacket): void;
  hasAddress(address: string): boolean;
  defaultAddress(): string | undefined;
}

/** Where ephemeral ports begin (Linux ip_local_port_range). */
const firstEphemeralPort = 32768;
const lastEphemeralPort = 60999;

/** Octets that a process may have written and the peer not acknowledged; more and the stream is cut, as on a real host. */
const maximumUnacknowledgedOctets = 4_194_304;

export class VirtualTcp {
  /** Of all connections of the host so far. */
  readonly statistics: TcpStatistics = { retransmittedSegments: 0, timeouts: 0 };
  readonly #simulation: Simulation;
  readonly #host: TcpHost;
  readonly #listeners = new Map<string, NetworkUser>();
  /** By local and remote transport address. */
  readonly #streams = new Map<string, Stream>();
  readonly #byUser = new Map<NetworkUser, Map<ConnectionId, Stream>>();
  #accepted = 0;
  #nextPort = firstEphemeralPort;

  constructor(simulation: Simulation, host: TcpHost) {
    this.#simulation = simulation;
    this.#host = host;
  }

  listen(local: TransportAddress, user: NetworkUser): void {
    this.#listeners.set(formatTransportAddress(local), user);
  }

  stopListening(local: TransportAddress): void {
    this.#listeners.delete(formatTransportAddress(local));
  }

  connect(
    user: NetworkUser,
    id: ConnectionId,
    wished: TransportAddress | undefined,
    remote: TransportAddress,
  ): void {
    const address = wished?.address ?? this.#host.defaultAddress();
    if (address === undefined || !this.#host.hasAddress(address)) {
      const reason = `${address ?? 'any local address'} is not assigned`;
      user.handleInput({ kind: 'connection-closed', connection: id, reason });
      return;
    }
    const local = { address, port: wished?.port || this.#takePort() };
    if (this.#streams.has(keyOf(local, remote))) {
      const reason = `${formatTransportAddress(local)} is in use`;
      user.handleInput({ kind: 'connection-closed', connection: id, reason });
      return;
    }
    this.#open(user, id, local, remote, true).wake(this.#simulation.now);
  }

  transmit(user: NetworkUser, id: ConnectionId, payload: Uint8Array): void {
    const stream = this.#byUser.get(user)?.get(id);
    if (stream === undefined) return;
    const { local, remote } = stream;
    user.observe({ direction: 'sent', connection: id, local, remote, payload });
    stream.request((connection, now) => {
      if (connection.unacknowledgedOctets + payload.length <= maximumUnacknowledgedOctets)
        connection.send(payload, now);
      else connection.abort(`the peer does not read: ${connection.unacknowledgedOctets} octets wait`);
    });
  }

  close(user: NetworkUser, id: ConnectionId): void {
    const stream = this.#byUser.get(user)?.get(id);
    this.#byUser.get(user)?.delete(id);
    stream?.leave();
  }

  abortFrom(address: string): void {
    for (const stream of [...this.#streams.values()])
      if (stream.local.address === address)
        stream.request((connection) => connection.abort(`${address} is not assigned any more`));
  }

  receive(local: TransportAddress, remote: TransportAddress, segment: TcpSegment): void {
    const stream = this.#streams.get(keyOf(local, remote)) ?? this.#accept(local, remote, segment);
    if (stream !== undefined) stream.request((connection, now) => connection.handleSegment(segment, now));
    else if (!segment.isReset) this.#sendSegment(local, remote, resetFor(segment));
  }

  #accept(local: TransportAddress, remote: TransportAddress, segment: TcpSegment): Stream | undefined {
    const user = this.#listeners.get(formatTransportAddress(local));
    if (user === undefined || !segment.isSyn || segment.isAck) return undefined;
    return this.#open(user, `a${++this.#accepted}`, local, remote, false);
  }

  #open(
    user: NetworkUser,
    id: ConnectionId,
    local: TransportAddress,
    remote: TransportAddress,
    isActive: boolean,
  ): Stream {
    const ofUser = this.#byUser.get(user) ?? new Map<ConnectionId, Stream>();
    this.#byUser.set(user, ofUser);
    const stream: Stream = new Stream(
      this.#simulation,
      { user, id, local, remote, isActive },
      {
        send: (segment) => this.#sendSegment(local, remote, segment),
        closed: () => ofUser.delete(id),
        gone: () => this.#streams.delete(keyOf(local, remote)),
      },
      this.statistics,
    );
    ofUser.set(id, stream);
    this.#streams.set(keyOf(local, remote), stream);
    return stream;
  }

  #sendSegment(local: TransportAddress, remote: TransportAddress, segment: TcpSegment): void {
    this.#host.send({
      source: local.address,
      sourcePort: local.port,
      destination: remote.address,
      destinationPort: remote.port,
      content: { protocol: 'tcp', segment },
    });
  }

  #takePort(): number {
    const port = this.#nextPort++;
    if (this.#nextPort > lastEphemeralPort) this.#nextPort = firstEphemeralPort;
    return port;
  }
}

interface StreamEnds {
  readonly user: NetworkUser;
  readonly id: ConnectionId;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly isActive: boolean;
}

interface StreamOwner {
  send(segment: TcpSegment): void;
  closed(): void;
  gone(): void;
}

class Stream implements Actor {
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly #simulation: Simulation;
  readonly #ends: StreamEnds;
  readonly #owner: StreamOwner;
  readonly #connection: TcpConnection;
  /** The process closed it and hears no more. */
  #isLeft = false;

  constructor(simulation: Simulation, ends: StreamEnds, owner: StreamOwner, statistics: TcpStatistics) {
    this.local = ends.local;
    this.remote = ends.remote;
    this.#simulation = simulation;
    this.#ends = ends;
    this.#owner = owner;
    this.#connection = new TcpConnection(ends.isActive, simulation.now, statistics);
  }

  request(action: (connection: TcpConnection, now: Instant) => void): void {
    action(this.#connection, this.#simulation.now);
    this.#drain();
  }

  leave(): void {
    this.#isLeft = true;
    this.request((connection, now) => connection.close(now));
  }

  wake(now: Instant): void {
    this.#connection.handleTimeout(now);
    this.#drain();
  }

  #drain(): void {
    for (
      let output = this.#connection.pollOutput();
      output !== undefined;
      output = this.#connection.pollOutput()
    ) {
      if (output.kind === 'segment') this.#owner.send(output.segment);
      else if (output.kind === 'gone') this.#owner.gone();
      else if (!this.#isLeft) this.#tell(output);
    }
    const next = this.#connection.pollTimeout();
    this.#simulation.wakeAt(this, next?.at, next?.reason ?? '');
  }

  #tell(
    output:
      | { kind: 'established' }
      | { kind: 'received'; payload: Uint8Array }
      | { kind: 'closed'; reason: string },
  ): void {
    const { user, id: connection, local, remote, isActive } = this.#ends;
    switch (output.kind) {
      case 'established':
        if (isActive) user.handleInput({ kind: 'connection-established', connection, local });
        else user.handleInput({ kind: 'connection-accepted', connection, local, remote });
        break;
      case 'received':
        user.observe({ direction: 'received', connection, local, remote, payload: output.payload });
        user.handleInput({ kind: 'stream-received', connection, payload: output.payload });
        break;
      case 'closed':
        this.#owner.closed();
        user.handleInput({ kind: 'connection-closed', connection, reason: output.reason });
        break;
    }
  }
}

function keyOf(local: TransportAddress, remote: TransportAddress): string {
  return `${formatTransportAddress(local)} ${formatTransportAddress(remote)}`;
}
