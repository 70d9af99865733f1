import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instant } from '../base/instant.ts';
import { randomFraction, SeededRandomSource } from '../base/random-source.ts';
import { Simulation } from './simulation.ts';
import { TcpConnection, type TcpStatistics } from './tcp-connection.ts';
import type { TcpSegment } from './virtual-packet.ts';

test('TcpConnection carries all octets in order and needs no retransmission on a path that loses nothing', () => {
  const path = new Path(() => 20);
  path.transfer(1_000_000);
  assert.equal(path.errors(1_000_000), 0);
  assert.deepEqual(path.statistics, { retransmittedSegments: 0, timeouts: 0 });
});

test('TcpConnection repairs a single loss by fast retransmit, without a timeout', () => {
  let data = 0;
  const path = new Path((segment) => (segment.payload.length > 0 && ++data === 30 ? undefined : 20));
  path.transfer(200_000);
  assert.equal(path.errors(200_000), 0);
  assert.deepEqual(path.statistics, { retransmittedSegments: 1, timeouts: 0 });
});

test('TcpConnection sends everything again after an interruption, by its timer', () => {
  const path = new Path((_segment, now) => (now > 100 && now < 700 ? undefined : 20));
  path.transfer(1_000_000);
  assert.equal(path.errors(1_000_000), 0);
  assert.ok(path.statistics.timeouts >= 1);
});

test('TcpConnection puts segments in order that a faster path let overtake, with no timeout', () => {
  const path = new Path((_segment, now) => (now < 150 ? 60 : 10));
  path.transfer(500_000);
  assert.equal(path.errors(500_000), 0);
  assert.equal(path.statistics.timeouts, 0);
});

test('TcpConnection delivers every octet under random loss and in any order', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandomSource(seed);
    const path = new Path(() =>
      randomFraction(random) < 0.05 ? undefined : 10 + 30 * randomFraction(random),
    );
    path.transfer(60_000);
    assert.equal(path.errors(60_000), 0, `seed ${seed}`);
    assert.equal(path.closed, 'closed by the peer', `seed ${seed}`);
  }
});

test('TcpConnection gives up when nobody answers', () => {
  const path = new Path(() => undefined);
  path.transfer(1);
  assert.equal(path.closed, 'timed out');
});

/** Two connections with a function between them that gives each segment its delay, or loses it. */
class Path {
  readonly statistics: TcpStatistics = { retransmittedSegments: 0, timeouts: 0 };
  closed = '';
  readonly #simulation = new Simulation();
  readonly #delayOf: (segment: TcpSegment, now: Instant) => number | undefined;
  readonly #received: Uint8Array[] = [];

  constructor(delayOf: (segment: TcpSegment, now: Instant) => number | undefined) {
    this.#delayOf = delayOf;
  }

  transfer(octets: number): void {
    const client = new TcpConnection(true, 0, this.statistics);
    const server = new TcpConnection(false, 0, this.statistics);
    const pumpClient = this.#pumpOf(client, (segment) => {
      server.handleSegment(segment, this.#simulation.now);
      pumpServer();
    });
    const pumpServer = this.#pumpOf(server, (segment) => {
      client.handleSegment(segment, this.#simulation.now);
      pumpClient();
    });
    client.send(pattern(octets), 0);
    client.close(0);
    pumpClient();
    this.#simulation.runFor(600_000);
  }

  /** Octets that are missing, surplus or wrong. */
  errors(octets: number): number {
    const received = Buffer.concat(this.#received);
    return Buffer.compare(received, Buffer.from(pattern(octets))) === 0
      ? 0
      : 1 + Math.abs(received.length - octets);
  }

  /** A function that takes the connection's outputs, hands its segments to `arrive` in time, and sets its timer. */
  #pumpOf(connection: TcpConnection, arrive: (segment: TcpSegment) => void): () => void {
    const timer = {
      wake: (now: Instant): void => {
        connection.handleTimeout(now);
        pump();
      },
    };
    const pump = (): void => {
      for (let output = connection.pollOutput(); output !== undefined; output = connection.pollOutput()) {
        if (output.kind === 'segment') this.#carry(output.segment, arrive);
        else if (output.kind === 'received') this.#received.push(output.payload);
        else if (output.kind === 'closed') this.closed = output.reason;
      }
      this.#simulation.wakeAt(timer, connection.pollTimeout()?.at, 'retransmission');
    };
    return pump;
  }

  #carry(segment: TcpSegment, arrive: (segment: TcpSegment) => void): void {
    const delayMs = this.#delayOf(segment, this.#simulation.now);
    if (delayMs !== undefined) this.#simulation.schedule(delayMs, () => arrive(segment));
  }
}

function pattern(octets: number): Uint8Array {
  return Uint8Array.from({ length: octets }, (_, index) => (index * 7 + (index >> 8)) & 255);
}
