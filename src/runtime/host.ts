/**
 * The host of a network function on a real machine: turns its wishes (listen, transmit, connect, close) into UDP, TCP and TLS sockets
 * and what the sockets say into its inputs (base/network.ts). Its twin in virtual time is sim/virtual-host.ts.
 *
 * An error of one socket is an event and, for a local address that is not there yet, a later attempt; it never ends the process.
 */
import { createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type {
  ConnectionId,
  NetworkInput,
  NetworkOutput,
  TransportAddress,
  TransportProtocol,
} from '../base/network.ts';
import { TransportAddressMap } from '../base/transport-address-map.ts';
import type { ObservedOctets } from '../observation/observed-octets.ts';
import { resolveRecords } from './dns-records.ts';
import { TcpListener } from './tcp-listener.ts';
import { connectDirectly, TcpStream } from './tcp-stream.ts';
import { connectSecurely, listenSecurely, provenNames, type TlsCredentials } from './tls-security.ts';
import { type DatagramPort, UdpPort, type UdpPortOwner } from './udp-port.ts';

/** What becomes of the sockets, for logs and traces. */
export interface SocketEvent {
  readonly kind: 'socket-opened' | 'socket-failed';
  readonly transport: TransportProtocol;
  readonly local: TransportAddress;
  /** Why it failed; empty when it opened. */
  readonly reason: string;
}

export interface HostOptions {
  /** Takes what the sockets say; called from the event loop of the process, never from within `perform`. */
  readonly deliver: (input: NetworkInput) => void;
  readonly onSocketEvent?: (event: SocketEvent) => void;
  readonly observe?: (octets: ObservedOctets) => void;
  /** Needed to listen for TLS, and to show a certificate to servers. */
  readonly tls?: TlsCredentials | undefined;
  /** Opens ports that are not sockets of this process alone; undefined: an ordinary one. */
  readonly openPort?: (local: TransportAddress, owner: UdpPortOwner) => DatagramPort | undefined;
}

export class Host {
  readonly #options: HostOptions;
  readonly #udpPorts = new TransportAddressMap<DatagramPort>();
  readonly #tcpListeners = new TransportAddressMap<TcpListener>();
  readonly #streams = new Map<ConnectionId, TcpStream>();
  #accepted = 0;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  perform(output: NetworkOutput): void {
    switch (output.kind) {
      case 'transmit':
        if (output.transport === 'udp') this.#sendDatagram(output.local, output.remote, output.payload);
        else this.#sendOctets(output.connection, output.payload);
        break;
      case 'listen':
        this.#listen(output.transport, output.local);
        break;
      case 'stop-listening':
        this.#stopListening(output.transport, output.local);
        break;
      case 'resolve':
        void resolveRecords(output.query).then((records) =>
          this.#options.deliver({ kind: 'resolved', query: output.query, records }),
        );
        break;
      case 'connect':
        this.#connect(output);
        break;
      case 'close':
        this.#streams.get(output.connection)?.close();
        this.#streams.delete(output.connection);
        break;
    }
  }

  /** Closes every socket at once; nothing is delivered any more. */
  close(): void {
    for (const port of this.#udpPorts.values()) port.close();
    for (const listener of this.#tcpListeners.values()) listener.close();
    for (const stream of this.#streams.values()) stream.close();
    this.#udpPorts.clear();
    this.#tcpListeners.clear();
    this.#streams.clear();
  }

  #listen(transport: TransportProtocol, local: TransportAddress): void {
    if (transport === 'udp') {
      if (!this.#udpPorts.has(local)) this.#udpPorts.set(local, this.#openUdpPort(local));
    } else if (!this.#tcpListeners.has(local)) this.#openListener(transport, local);
  }

  #openListener(transport: 'tcp' | 'tls', local: TransportAddress): void {
    const { tls } = this.#options;
    const owner = {
      accepted: (at: TransportAddress, socket: Socket) => this.#accept(at, socket),
      ...this.#progressOf(transport),
    };
    if (transport === 'tcp') this.#tcpListeners.set(local, new TcpListener(local, owner, createServer));
    else if (tls === undefined) owner.failed(local, new Error('TLS needs a certificate and its key'));
    else {
      const listener = new TcpListener(local, owner, (accepted) => listenSecurely(tls, accepted));
      this.#tcpListeners.set(local, listener);
    }
  }

  #openUdpPort(local: TransportAddress): DatagramPort {
    const owner: UdpPortOwner = {
      received: (at, remote, payload) => {
        this.#options.observe?.({ direction: 'received', local: at, remote, payload });
        this.#options.deliver({ kind: 'datagram-received', local: at, remote, payload });
      },
      refused: (at, remote) => this.#deliverLater({ kind: 'datagram-refused', local: at, remote }),
      ...this.#progressOf('udp'),
    };
    return this.#options.openPort?.(local, owner) ?? new UdpPort(local, owner);
  }

  #progressOf(transport: TransportProtocol) {
    return {
      opened: (local: TransportAddress) =>
        this.#options.onSocketEvent?.({ kind: 'socket-opened', transport, local, reason: '' }),
      failed: (local: TransportAddress, error: Error) =>
        this.#options.onSocketEvent?.({ kind: 'socket-failed', transport, local, reason: error.message }),
    };
  }

  #stopListening(transport: TransportProtocol, local: TransportAddress): void {
    const ports: TransportAddressMap<{ close(): void }> =
      transport === 'udp' ? this.#udpPorts : this.#tcpListeners;
    ports.get(local)?.close();
    ports.delete(local);
  }

  #sendDatagram(local: TransportAddress, remote: TransportAddress, payload: Uint8Array): void {
    const port = this.#udpPorts.get(local);
    if (port === undefined) {
      this.#deliverLater({ kind: 'datagram-refused', local, remote });
      return;
    }
    this.#options.observe?.({ direction: 'sent', local, remote, payload });
    port.send(remote, payload);
  }

  /** Octets for a stream that ended in the meantime are dropped: its end is, or will be, an input. */
  #sendOctets(connection: ConnectionId, payload: Uint8Array): void {
    const stream = this.#streams.get(connection);
    if (stream === undefined) return;
    this.#options.observe?.({
      direction: 'sent',
      connection,
      local: stream.local,
      remote: stream.remote,
      payload,
    });
    stream.send(payload);
  }

  #connect({ connection, local, remote, tls }: Extract<NetworkOutput, { kind: 'connect' }>): void {
    const from = {
      ...(local === undefined ? {} : { localAddress: local.address }),
      ...(local === undefined || local.port === 0 ? {} : { localPort: local.port }),
    };
    const socket =
      tls === undefined
        ? connectDirectly({ host: remote.address, port: remote.port, ...from })
        : connectSecurely(this.#options.tls, tls.serverName, remote, from);
    this.#adopt(connection, socket, remote);
  }

  #accept(local: TransportAddress, socket: Socket): void {
    const remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const connection = `a${++this.#accepted}`;
    this.#adopt(connection, socket, remote);
    const peerNames = socket instanceof TLSSocket ? { peerNames: provenNames(socket) } : {};
    this.#options.deliver({ kind: 'connection-accepted', connection, local, remote, ...peerNames });
  }

  #adopt(connection: ConnectionId, socket: Socket, remote: TransportAddress): void {
    const { deliver, observe } = this.#options;
    const stream = new TcpStream(socket, remote, {
      established: (local) => deliver({ kind: 'connection-established', connection, local }),
      received: (payload) => {
        observe?.({ direction: 'received', connection, local: stream.local, remote, payload });
        deliver({ kind: 'stream-received', connection, payload });
      },
      closed: (reason) => {
        this.#streams.delete(connection);
        deliver({ kind: 'connection-closed', connection, reason });
      },
    });
    this.#streams.set(connection, stream);
  }

  /** Refusals that are known at once still arrive as every other input: after the call that caused them. */
  #deliverLater(input: NetworkInput): void {
    setImmediate(() => this.#options.deliver(input));
  }
}
