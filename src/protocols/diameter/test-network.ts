/**
 * A network of byte streams, and of datagrams, for tests: joins machines by their NetworkInput and NetworkOutput in virtual time, without delay.
 * (sim/ has the real virtual network; protocols and network functions may not import it.)
 */
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { ConnectionId, NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';

interface TestMachine<Output> {
  handleInput(input: NetworkInput, now: Instant): void;
  handleTimeout(now: Instant): void;
  pollOutput(): Output | undefined;
  pollTimeout(): Timeout | undefined;
}

interface Host {
  readonly address: string;
  readonly machine: TestMachine<unknown>;
  readonly other: (output: never) => void;
  readonly listeners: Set<number>;
  isReachable: boolean;
}

interface End {
  readonly host: Host;
  readonly connection: ConnectionId;
}

export class TestNetwork {
  now: Instant = 0;
  readonly #hosts: Host[] = [];
  /** Both ends of each open stream. */
  #streams: (readonly [End, End])[] = [];
  #accepted = 0;
  #ports = 40_000;

  /** `other` gets the outputs that are not the network's: events and effects. */
  add<Output>(
    address: string,
    machine: TestMachine<Output>,
    other: (output: Exclude<Output, NetworkOutput>) => void = () => undefined,
  ): void {
    this.#hosts.push({ address, machine, other, listeners: new Set(), isReachable: true });
  }

  /** An unreachable host's octets vanish in both directions; its connections stay open. */
  setReachable(address: string, isReachable: boolean): void {
    for (const host of this.#hosts) if (host.address === address) host.isReachable = isReachable;
  }

  /** Closes all connections of a host, as a process that dies does. */
  reset(address: string): void {
    for (const stream of this.#streams.filter((ends) => ends.some(({ host }) => host.address === address))) {
      this.#streams = this.#streams.filter((other) => other !== stream);
      for (const { host, connection } of stream)
        host.machine.handleInput({ kind: 'connection-closed', connection, reason: 'reset' }, this.now);
    }
    this.settle();
  }

  /** Takes a host away; its name may come back with another machine. */
  remove(address: string): void {
    this.reset(address);
    const index = this.#hosts.findIndex((host) => host.address === address);
    if (index >= 0) this.#hosts.splice(index, 1);
  }

  /** Delivers until nobody has anything more to say. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const host of [...this.#hosts])
        for (
          let output = host.machine.pollOutput();
          output !== undefined;
          output = host.machine.pollOutput()
        ) {
          isBusy = true;
          this.#carry(host, output as NetworkOutput);
        }
    }
  }

  /** Lets time pass, waking the machines when they ask for it. */
  run(durationMs: number): void {
    const end = this.now + durationMs;
    for (;;) {
      this.settle();
      const next = Math.min(
        ...this.#hosts.map(({ machine }) => machine.pollTimeout()?.at ?? Number.POSITIVE_INFINITY),
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      for (const { machine } of this.#hosts) machine.handleTimeout(this.now);
    }
    this.now = end;
  }

  #carry(host: Host, output: NetworkOutput): void {
    if (output.kind === 'listen') host.listeners.add(output.local.port);
    else if (output.kind === 'stop-listening') host.listeners.delete(output.local.port);
    else if (output.kind === 'connect') this.#connect(host, output.connection, output.remote);
    else if (output.kind === 'close') this.#close(host, output.connection);
    else if (output.kind === 'transmit' && output.transport === 'tcp')
      this.#transmit(host, output.connection, output.payload);
    else if (output.kind === 'transmit') this.#deliver(output);
    else host.other(output as never);
  }

  #connect(host: Host, connection: ConnectionId, remote: TransportAddress): void {
    const target = this.#hosts.find(
      ({ address, listeners }) => address === remote.address && listeners.has(remote.port),
    );
    if (target === undefined || !target.isReachable || !host.isReachable) {
      host.machine.handleInput({ kind: 'connection-closed', connection, reason: 'refused' }, this.now);
      return;
    }
    const local = { address: host.address, port: this.#ports++ };
    const far: End = { host: target, connection: `a${++this.#accepted}` };
    this.#streams.push([{ host, connection }, far]);
    host.machine.handleInput({ kind: 'connection-established', connection, local }, this.now);
    target.machine.handleInput(
      { kind: 'connection-accepted', connection: far.connection, local: remote, remote: local },
      this.now,
    );
  }

  #transmit(host: Host, connection: ConnectionId, payload: Uint8Array): void {
    const far = this.#farEnd(host, connection);
    if (far === undefined || !far.host.isReachable || !host.isReachable) return;
    far.host.machine.handleInput({ kind: 'stream-received', connection: far.connection, payload }, this.now);
  }

  #deliver({
    local,
    remote,
    payload,
  }: Extract<NetworkOutput, { readonly transport: 'udp'; readonly kind: 'transmit' }>): void {
    const target = this.#hosts.find(({ address }) => address === remote.address);
    target?.machine.handleInput(
      { kind: 'datagram-received', local: remote, remote: local, payload },
      this.now,
    );
  }

  #close(host: Host, connection: ConnectionId): void {
    const far = this.#farEnd(host, connection);
    this.#streams = this.#streams.filter(
      (ends) => !ends.some((end) => end.host === host && end.connection === connection),
    );
    if (far?.host.isReachable !== true || !host.isReachable) return;
    far.host.machine.handleInput(
      { kind: 'connection-closed', connection: far.connection, reason: 'closed' },
      this.now,
    );
  }

  #farEnd(host: Host, connection: ConnectionId): End | undefined {
    for (const [a, b] of this.#streams) {
      if (a.host === host && a.connection === connection) return b;
      if (b.host === host && b.connection === connection) return a;
    }
    return undefined;
  }
}
