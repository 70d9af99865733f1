/**
 * One end of a TCP connection in virtual time: opens it or waits for it, then sends 100 octets every 50 ms and counts what arrives, as a program
 * that knows nothing of mobility.
 */
import type { Instant } from '../../src/base/instant.ts';
import type { Timeout } from '../../src/base/machine.ts';
import {
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';

const intervalMs = 50;

export class TcpParty implements NetworkFunction<never, never, never> {
  readonly #local: TransportAddress;
  readonly #outputs: NetworkOutput[] = [];
  readonly #remotes: string[] = [];
  #connection: string | undefined;
  #nextAt: Instant | undefined;
  #sent = 0;
  #received = 0;
  #isBroken = false;

  constructor(local: TransportAddress) {
    this.#local = local;
  }

  listen(): void {
    this.#outputs.push({ kind: 'listen', transport: 'tcp', local: this.#local });
  }

  connect(remote: TransportAddress): void {
    this.#remotes.push(formatTransportAddress(remote));
    const local = { address: this.#local.address, port: 0 };
    this.#outputs.push({ kind: 'connect', connection: 'o1', local, remote });
  }

  stop(): void {
    this.#nextAt = undefined;
  }

  /** Octets. */
  get sent(): number {
    return this.#sent;
  }

  get received(): number {
    return this.#received;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whom each connection was with. */
  get remotes(): readonly string[] {
    return this.#remotes;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind === 'connection-accepted') this.#remotes.push(formatTransportAddress(input.remote));
    if (input.kind === 'connection-accepted' || input.kind === 'connection-established') {
      this.#connection = input.connection;
      this.#nextAt = now;
    } else if (input.kind === 'stream-received') this.#received += input.payload.length;
    else if (input.kind === 'connection-closed') this.#isBroken = true;
  }

  handleTimeout(now: Instant): void {
    if (this.#nextAt === undefined || this.#nextAt > now || this.#connection === undefined) return;
    const payload = new Uint8Array(100);
    this.#outputs.push({ kind: 'transmit', transport: 'tcp', connection: this.#connection, payload });
    this.#sent += payload.length;
    this.#nextAt += intervalMs;
  }

  pollTimeout(): Timeout | undefined {
    return this.#nextAt === undefined ? undefined : { at: this.#nextAt, reason: 'next octets' };
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}
