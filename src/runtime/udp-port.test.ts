import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { TransportAddress } from '../base/network.ts';
import { isUdpSocketAvailable, UdpSocket } from '../drivers/linux/udp-socket.ts';
import { DgramSocket } from './dgram-socket.ts';
import { UdpPort } from './udp-port.ts';

const ports: TestPort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

const classes = [DgramSocket, ...(isUdpSocketAvailable ? [UdpSocket] : [])];

for (const Socket of classes) {
  const name = `UdpPort by ${Socket.name}`;

  for (const address of ['127.0.0.1', '::1'])
    test(`${name}: datagrams of every length go from ${address} and back`, async () => {
      const [a, b] = [TestPort.open(Socket, address), TestPort.open(Socket, address)];
      const longest = address === '::1' ? 65_527 : 65_507;
      for (const length of [0, 1, 28, 1500, 8192, longest]) {
        a.send(b.local, filled(length));
        const [there] = await b.take(1);
        assert.deepEqual(there, { remote: a.local, payload: filled(length) });
        b.send(a.local, there!.payload);
        assert.deepEqual(await a.take(1), [{ remote: b.local, payload: filled(length) }]);
      }
    });

  test(`${name}: what cannot be sent is refused, for whom it was, and all else is sent`, async () => {
    const [a, b] = [TestPort.open(Socket), TestPort.open(Socket)];
    const offLink = { address: '198.51.100.1', port: 9 };
    const tooLong = { ...b.local };
    const others = [
      { address: '::1', port: 9 },
      { address: 'nowhere', port: 9 },
    ];
    const numbered = (index: number) => Uint8Array.of(index);
    for (let index = 0; index < 60; index++) {
      a.send(b.local, numbered(index));
      if (index % 20 === 0) a.send(offLink, numbered(255));
    }
    a.send(tooLong, filled(70_000));
    for (const other of others) a.send(other, numbered(255));
    a.send(b.local, numbered(60));
    const arrived = await b.take(61);
    assert.deepEqual(
      arrived.map(({ payload }) => payload[0]),
      Array.from({ length: 61 }, (_, index) => index),
    );
    await until(() => a.refused.length === 6);
    assert.deepEqual(
      a.refused.sort(byAddress),
      [offLink, offLink, offLink, tooLong, ...others].sort(byAddress),
    );
  });

  test(`${name}: more than one turn takes are handled in order, over several turns`, async () => {
    const [a, b] = [TestPort.open(Socket), TestPort.open(Socket)];
    for (let index = 0; index < 100; index++) a.send(b.local, Uint8Array.of(index));
    a.close();
    // They are in the kernel by now, all of them.
    const arrived = await b.take(100);
    assert.deepEqual(
      arrived.map(({ payload }) => payload[0]),
      Array.from({ length: 100 }, (_, index) => index),
    );
    for (const turn of new Set(b.turns))
      assert.ok(b.turns.filter((other) => other === turn).length <= 32, 'others get their turn');
  });

  test(`${name}: what was received stays as it is, and a small datagram keeps no large piece of memory`, async () => {
    const [a, b] = [TestPort.open(Socket), TestPort.open(Socket)];
    a.send(b.local, filled(60_000));
    const [large] = await b.take(1);
    a.send(b.local, Uint8Array.of(1, 2, 3));
    const [small] = await b.take(1);
    for (let index = 0; index < 40; index++) {
      a.send(b.local, new Uint8Array(40_000).fill(255));
      await b.take(1);
    }
    assert.deepEqual(large?.payload, filled(60_000));
    assert.deepEqual(small?.payload, Uint8Array.of(1, 2, 3));
    assert.ok(small.payload.buffer.byteLength <= 8192, `${small.payload.buffer.byteLength} octets`);
  });

  test(`${name}: an address that is taken is tried again until it is free; what is sent meanwhile is refused`, async () => {
    const [taken, peer] = [TestPort.open(Socket), TestPort.open(Socket)];
    const next = new TestPort(Socket, taken.local);
    assert.equal(next.state, 'failed');
    next.send(peer.local, Uint8Array.of(1));
    assert.deepEqual(next.refused, [peer.local]);
    taken.close();
    await until(() => next.state === 'opened');
    next.send(peer.local, Uint8Array.of(2));
    assert.deepEqual(await peer.take(1), [{ remote: taken.local, payload: Uint8Array.of(2) }]);
  });

  test(`${name}: nothing comes any more once it is closed, also by who handles a datagram`, async () => {
    const [a, b] = [TestPort.open(Socket), TestPort.open(Socket)];
    b.onReceived = () => b.close();
    for (let index = 0; index < 10; index++) a.send(b.local, Uint8Array.of(index));
    a.close();
    await b.take(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(b.count, 1);
  });

  test(`${name}: an address that is none fails, and is tried again until the port is closed`, async () => {
    const port = new TestPort(Socket, { address: 'nowhere', port: 5060 });
    assert.equal(port.state, 'failed');
    port.state = 'closed';
    await until(() => port.state === 'failed');
  });
}

class TestPort {
  readonly local: TransportAddress;
  readonly refused: TransportAddress[] = [];
  /** Of the event loop, for each datagram. */
  readonly turns: number[] = [];
  state = 'closed';
  count = 0;
  onReceived = (): void => {};
  readonly #received: { remote: TransportAddress; payload: Uint8Array }[] = [];
  readonly #port: UdpPort;

  constructor(Socket: (typeof classes)[number], local: TransportAddress) {
    this.local = local;
    const owner = {
      received: (_: TransportAddress, remote: TransportAddress, payload: Uint8Array) => {
        this.count++;
        this.turns.push(turn);
        countTurn();
        this.#received.push({ remote, payload });
        this.onReceived();
      },
      refused: (_: TransportAddress, remote: TransportAddress) => void this.refused.push(remote),
      opened: () => {
        this.state = 'opened';
      },
      failed: () => {
        this.state = 'failed';
      },
    };
    this.#port = new UdpPort(local, owner, Socket);
    ports.push(this);
  }

  /** On the next port of the loopback that nothing uses. */
  static open(Socket: (typeof classes)[number], address = '127.0.0.1'): TestPort {
    for (;;) {
      const port = new TestPort(Socket, { address, port: nextPort++ });
      if (port.state === 'opened') return port;
      port.close();
    }
  }

  send(remote: TransportAddress, payload: Uint8Array): void {
    this.#port.send(remote, payload);
  }

  async take(count: number) {
    await until(() => this.#received.length >= count);
    return this.#received.splice(0, count);
  }

  close(): void {
    this.#port.close();
  }
}

let nextPort = 20_000 + (process.pid % 20_000);
let turn = 0;
let isCounting = false;

/** An immediate comes after all sockets of a turn. */
function countTurn(): void {
  if (isCounting) return;
  isCounting = true;
  setImmediate(() => {
    isCounting = false;
    turn++;
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1000 && !isTrue(); attempt++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(isTrue());
}

function filled(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index);
}

function byAddress(a: TransportAddress, b: TransportAddress): number {
  return `${a.address} ${a.port}` < `${b.address} ${b.port}` ? -1 : 1;
}
