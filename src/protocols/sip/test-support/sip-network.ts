/**
 * A network in virtual time for tests of SIP machines: datagrams and connections between the addresses that machines listen on, a
 * fixed delay, and a fate for each datagram that the test decides. Keeps a ladder of what was sent. Not a model of real links: those
 * are in sim and access-network.
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Machine } from '../../../base/machine.ts';
import {
  type ConnectionId,
  type DnsRecord,
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../../../base/network.ts';

export type SipTestMachine = Machine<NetworkInput, NetworkOutput>;

/** Delays in milliseconds at which copies of the datagram arrive; empty loses it. */
export type Fate = (startLine: string, count: number) => readonly number[];

interface Peer {
  readonly machine: SipTestMachine;
  readonly connection: ConnectionId;
}

export class SipTestNetwork {
  now: Instant = 0;
  /** "0.005 10.0.0.1:5060 → 10.0.0.2:5060 udp INVITE sip:b@test SIP/2.0": seconds, way, start line. */
  readonly ladder: string[] = [];
  /** The whole text of each message on the ladder. */
  readonly messages: string[] = [];
  readonly delayMs = 5;
  fate: Fate = () => [this.delayMs];
  /** How many connections were asked for. */
  connections = 0;
  /** Connections that a machine closed, by its own name for them. */
  readonly closed: ConnectionId[] = [];
  /** Names that the certificate of the host at an address holds; TLS with a host that is not here fails. */
  readonly certificates: Map<string, readonly string[]> = new Map();
  /** What the DNS knows, by "srv _sip._udp.example.com", and what it was asked. */
  readonly zone: Map<string, readonly DnsRecord[]> = new Map();
  readonly questions: string[] = [];
  /** A filter somewhere drops every SYN. */
  swallowsConnections = false;
  readonly #machines = new Map<SipTestMachine, () => void>();
  readonly #listeners = new Map<string, SipTestMachine>();
  readonly #peers = new Map<SipTestMachine, Map<ConnectionId, Peer>>();
  readonly #remotes = new Map<SipTestMachine, Map<ConnectionId, TransportAddress>>();
  readonly #arrivals = new DeadlineQueue<() => void>();
  #count = 0;

  /** `onActivity` is called when something happened at the machine, before its outputs are taken: the place to answer its events. */
  add(machine: SipTestMachine, onActivity: () => void): void {
    this.#machines.set(machine, onActivity);
    this.#peers.set(machine, new Map());
    this.#remotes.set(machine, new Map());
    this.#drain(machine);
  }

  /** Carries out what the machines asked for since the last call. */
  flush(): void {
    for (const machine of this.#machines.keys()) this.#drain(machine);
  }

  /** Lets time pass: whatever is due until `until` happens, in order. */
  run(until: Instant): void {
    this.flush();
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) {
      this.now = Math.max(this.now, next.at);
      next.happen();
    }
    this.now = until;
  }

  /** Until nothing is left to happen. Returns when the last thing happened. */
  runToEnd(limit: Instant = 10_000_000): Instant {
    this.flush();
    for (let next = this.#next(); next !== undefined && next.at <= limit; next = this.#next()) {
      this.now = Math.max(this.now, next.at);
      next.happen();
    }
    return this.now;
  }

  /** A datagram, or octets of a stream, from nowhere. */
  inject(machine: SipTestMachine, input: NetworkInput): void {
    machine.handleInput(input, this.now);
    this.#drain(machine);
  }

  /** Does something when that much time has passed. */
  after(delayMs: number, happen: () => void): void {
    this.#arrivals.set(happen, this.now + delayMs, 'wanted by the test');
  }

  /** Every open connection, or those of one host, are gone, and both ends are told. */
  breakConnections(address?: string): void {
    for (const [machine, peers] of this.#peers) {
      for (const [connection, peer] of [...peers]) {
        const ends = [
          this.#remotes.get(machine)!.get(connection)!,
          this.#remotes.get(peer.machine)!.get(peer.connection)!,
        ];
        if (address !== undefined && !ends.some((end) => end.address === address)) continue;
        peers.delete(connection);
        this.inject(machine, { kind: 'connection-closed', connection, reason: 'reset' });
      }
    }
  }

  /** A process dies: nobody listens any more where it did, and the other ends of its connections are told. */
  abandon(machine: SipTestMachine): void {
    for (const [key, listener] of this.#listeners) if (listener === machine) this.#listeners.delete(key);
    for (const connection of [...this.#peers.get(machine)!.keys()]) this.#close(machine, connection);
  }

  #next(): { at: Instant; happen: () => void } | undefined {
    const arrival = this.#arrivals.peek();
    let earliest = arrival && { at: arrival.at, happen: () => this.#arrive() };
    for (const machine of this.#machines.keys()) {
      const timeout = machine.pollTimeout();
      if (timeout === undefined || (earliest !== undefined && earliest.at <= timeout.at)) continue;
      earliest = { at: timeout.at, happen: () => this.#wake(machine) };
    }
    return earliest;
  }

  #arrive(): void {
    this.#arrivals.takeDue(this.now)?.();
  }

  #wake(machine: SipTestMachine): void {
    machine.handleTimeout(this.now);
    this.#drain(machine);
  }

  #drain(machine: SipTestMachine): void {
    this.#machines.get(machine)?.();
    for (let output = machine.pollOutput(); output !== undefined; output = machine.pollOutput())
      this.#carryOut(machine, output);
  }

  #carryOut(machine: SipTestMachine, output: NetworkOutput): void {
    switch (output.kind) {
      case 'listen':
        this.#listeners.set(listenerKey(output.transport, output.local), machine);
        break;
      case 'stop-listening':
        this.#listeners.delete(listenerKey(output.transport, output.local));
        break;
      case 'resolve': {
        const { query } = output;
        this.questions.push(`${query.type} ${query.name}`);
        const records = this.zone.get(`${query.type} ${query.name}`) ?? [];
        this.after(this.delayMs, () => this.inject(machine, { kind: 'resolved', query, records }));
        break;
      }
      case 'connect':
        this.#connect(machine, output);
        break;
      case 'close':
        this.#close(machine, output.connection);
        break;
      case 'transmit':
        if (output.transport === 'udp') this.#sendDatagram(output.local, output.remote, output.payload);
        else this.#sendStream(machine, output.connection, output.payload);
    }
  }

  #sendDatagram(local: TransportAddress, remote: TransportAddress, payload: Uint8Array): void {
    const line = this.#note('udp', local, remote, payload);
    for (const delay of this.fate(line, this.#count++)) {
      this.after(delay, () => {
        const receiver = this.#listeners.get(listenerKey('udp', remote));
        if (receiver !== undefined)
          this.inject(receiver, { kind: 'datagram-received', local: remote, remote: local, payload });
      });
    }
  }

  #connect(
    machine: SipTestMachine,
    { connection, local, remote, tls }: Extract<NetworkOutput, { kind: 'connect' }>,
  ): void {
    const from = { address: local?.address ?? '0.0.0.0', port: 40_000 + this.connections++ };
    if (this.swallowsConnections) return;
    this.after(this.delayMs, () => {
      const receiver = this.#listeners.get(listenerKey(tls === undefined ? 'tcp' : 'tls', remote));
      const isTrusted = tls === undefined || this.certificates.get(remote.address)?.includes(tls.serverName);
      if (receiver === undefined || !isTrusted) {
        this.inject(machine, { kind: 'connection-closed', connection, reason: 'refused' });
        return;
      }
      const accepted = `a${this.#count++}`;
      this.#peers.get(machine)!.set(connection, { machine: receiver, connection: accepted });
      this.#peers.get(receiver)!.set(accepted, { machine, connection });
      this.#remotes.get(machine)!.set(connection, remote);
      this.#remotes.get(receiver)!.set(accepted, from);
      this.inject(receiver, {
        kind: 'connection-accepted',
        connection: accepted,
        local: remote,
        remote: from,
        ...(tls && { peerNames: this.certificates.get(from.address) ?? [] }),
      });
      this.inject(machine, { kind: 'connection-established', connection, local: from });
    });
  }

  #sendStream(machine: SipTestMachine, connection: ConnectionId, payload: Uint8Array): void {
    const peer = this.#peers.get(machine)?.get(connection);
    if (peer === undefined) return;
    const local = this.#remotes.get(peer.machine)!.get(peer.connection)!;
    this.#note('tcp', local, this.#remotes.get(machine)!.get(connection)!, payload);
    this.after(this.delayMs, () =>
      this.inject(peer.machine, { kind: 'stream-received', connection: peer.connection, payload }),
    );
  }

  #close(machine: SipTestMachine, connection: ConnectionId): void {
    this.closed.push(connection);
    const peer = this.#peers.get(machine)?.get(connection);
    this.#peers.get(machine)?.delete(connection);
    if (peer === undefined) return;
    this.after(this.delayMs, () => {
      this.#peers.get(peer.machine)?.delete(peer.connection);
      this.inject(peer.machine, { kind: 'connection-closed', connection: peer.connection, reason: 'closed' });
    });
  }

  /** Returns the start line. */
  #note(transport: string, local: TransportAddress, remote: TransportAddress, payload: Uint8Array): string {
    const text = Buffer.from(payload).toString('latin1');
    const startLine = text.split('\r\n', 1)[0]!;
    const way = `${formatTransportAddress(local)} → ${formatTransportAddress(remote)}`;
    this.messages.push(text);
    this.ladder.push(`${(this.now / 1000).toFixed(3)} ${way} ${transport} ${startLine}`);
    return startLine;
  }
}

function listenerKey(transport: string, local: TransportAddress): string {
  return `${transport} ${formatTransportAddress(local)}`;
}
