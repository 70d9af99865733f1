import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../base/network.ts';
import type { EffectOutput, EventOutput } from '../base/network-function.ts';
import type { ObservedOctets } from '../observation/observed-octets.ts';
import { EventLoop } from './event-loop.ts';
import type { SocketEvent } from './host.ts';

type OwnInput = { readonly kind: 'effect-completed'; readonly id: number };
type Output = NetworkOutput | EventOutput<string> | EffectOutput<{ readonly id: number }>;

test('EventLoop answers a datagram from the address it came to', async () => {
  const port = await freePort('127.0.0.2');
  const local = { address: '127.0.0.2', port };
  const seen: ObservedOctets[] = [];
  const loop = new EventLoop({ machine: echo, observe: (octets) => seen.push(octets) });
  loop.perform(() => echo.ask({ kind: 'listen', transport: 'udp', local }));
  const client = createSocket('udp4');
  let reply = '';
  client.on('message', (payload, from) => {
    reply = `${payload} from ${from.address}:${from.port}`;
  });
  client.bind(0, '127.0.0.1', () => client.send('hello', port, '127.0.0.2'));
  await until(() => reply !== '');
  assert.equal(reply, `hello from 127.0.0.2:${port}`);
  assert.deepEqual(
    seen.map((octets) => `${octets.direction} ${octets.local.address} ${Buffer.from(octets.payload)}`),
    ['received 127.0.0.2 hello', 'sent 127.0.0.2 hello'],
  );
  client.close();
  loop.close();
});

test('EventLoop reports an address that is not there, tries again, and refuses datagrams meanwhile', async () => {
  const machine = new TestMachine();
  const local = { address: '192.0.2.77', port: 5060 };
  const remote = { address: '127.0.0.1', port: 9 };
  const failures: SocketEvent[] = [];
  const loop = new EventLoop({ machine, onSocketEvent: (event) => failures.push(event) });
  loop.perform(() => {
    machine.ask({ kind: 'listen', transport: 'udp', local });
    machine.ask({ kind: 'listen', transport: 'tcp', local });
    machine.ask({ kind: 'transmit', transport: 'udp', local, remote, payload: new Uint8Array(1) });
  });
  assert.deepEqual(await machine.next('datagram-refused'), { kind: 'datagram-refused', local, remote });
  await until(() => failures.filter((event) => event.transport === 'tcp').length >= 2);
  assert.ok(failures.filter((event) => event.transport === 'udp').length >= 2);
  assert.match(failures[0]?.reason ?? '', /EADDRNOTAVAIL/);
  loop.close();
});

test('EventLoop opens a port as soon as its holder lets it go', async () => {
  const holder = createSocket('udp4');
  await new Promise<void>((resolve) => holder.bind(0, '127.0.0.1', resolve));
  const local = { address: '127.0.0.1', port: holder.address().port };
  const machine = new TestMachine();
  const events: string[] = [];
  const loop = new EventLoop({ machine, onSocketEvent: (event) => events.push(event.kind) });
  loop.perform(() => machine.ask({ kind: 'listen', transport: 'udp', local }));
  await until(() => events.includes('socket-failed'));
  holder.close();
  await until(() => events.includes('socket-opened'));
  loop.close();
});

test('EventLoop carries a byte stream both ways, from a chosen local port, and tells of its end', async () => {
  const server = { address: '127.0.0.1', port: await freeTcpPort() };
  const local = { address: '127.0.0.3', port: await freeTcpPort() };
  const serving = new TestMachine((input) =>
    input.kind === 'stream-received'
      ? [{ kind: 'transmit', transport: 'tcp', connection: input.connection, payload: input.payload }]
      : [],
  );
  const calling = new TestMachine();
  const serverLoop = new EventLoop({ machine: serving });
  const clientLoop = new EventLoop({ machine: calling });
  serverLoop.perform(() => serving.ask({ kind: 'listen', transport: 'tcp', local: server }));
  await settled();
  clientLoop.perform(() => {
    calling.ask({ kind: 'connect', connection: 'o1', local, remote: server });
    calling.ask({ kind: 'transmit', transport: 'tcp', connection: 'o1', payload: octets('over tcp') });
  });
  const accepted = await serving.next('connection-accepted');
  assert.deepEqual(accepted, {
    kind: 'connection-accepted',
    connection: 'a1',
    local: server,
    remote: local,
  });
  assert.deepEqual(await calling.next('connection-established'), {
    kind: 'connection-established',
    connection: 'o1',
    local,
  });
  const back = await calling.next('stream-received');
  assert.equal(back.kind === 'stream-received' && Buffer.from(back.payload).toString(), 'over tcp');
  serverLoop.perform(() => serving.ask({ kind: 'close', connection: 'a1' }));
  assert.deepEqual(await calling.next('connection-closed'), {
    kind: 'connection-closed',
    connection: 'o1',
    reason: 'closed by the peer',
  });
  clientLoop.close();
  serverLoop.close();
});

test('EventLoop sends what is transmitted within a turn together, also when the stream is closed in it', async () => {
  const server = { address: '127.0.0.1', port: await freeTcpPort() };
  const [serving, calling] = [new TestMachine(), new TestMachine()];
  const serverLoop = new EventLoop({ machine: serving });
  const clientLoop = new EventLoop({ machine: calling });
  serverLoop.perform(() => serving.ask({ kind: 'listen', transport: 'tcp', local: server }));
  await settled();
  clientLoop.perform(() => calling.ask({ kind: 'connect', connection: 'o1', remote: server }));
  await calling.next('connection-established');
  for (const text of ['one ', 'two ', 'three'])
    clientLoop.perform(() =>
      calling.ask({ kind: 'transmit', transport: 'tcp', connection: 'o1', payload: octets(text) }),
    );
  clientLoop.perform(() => calling.ask({ kind: 'close', connection: 'o1' }));
  const received = await serving.next('stream-received');
  assert.equal(
    received.kind === 'stream-received' && Buffer.from(received.payload).toString(),
    'one two three',
  );
  await serving.next('connection-closed');
  clientLoop.close();
  serverLoop.close();
});

test('EventLoop: what a connection brought stays as it is while more comes, over whichever connection', async () => {
  const sources = ['a', 'b'].map((letter) => letter.repeat(500_000));
  const servers = sources.map((source) => createServer((socket) => socket.end(source)));
  const machine = new TestMachine();
  const loop = new EventLoop({ machine });
  for (const [index, server] of servers.entries()) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as TransportAddress;
    const remote = { address: '127.0.0.1', port };
    loop.perform(() => machine.ask({ kind: 'connect', connection: `o${index}`, remote }));
  }
  await until(() => machine.count('connection-closed') === sources.length);
  for (const [index, source] of sources.entries()) {
    const pieces = machine.inputs.flatMap((input) =>
      input.kind === 'stream-received' && input.connection === `o${index}` ? [input.payload] : [],
    );
    assert.ok(Buffer.concat(pieces).equals(Buffer.from(source)));
    servers[index]?.close();
  }
  loop.close();
});

test('EventLoop says why a connection could not be opened', async () => {
  const machine = new TestMachine();
  const loop = new EventLoop({ machine });
  const remote = { address: '127.0.0.1', port: await freeTcpPort() };
  loop.perform(() => machine.ask({ kind: 'connect', connection: 'o1', remote }));
  const closed = await machine.next('connection-closed');
  assert.match(closed.kind === 'connection-closed' ? closed.reason : '', /ECONNREFUSED/);
  loop.close();
});

test('EventLoop disconnects a peer that does not read', async () => {
  const deaf = createServer((socket) => socket.pause());
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const address = deaf.address();
  assert.ok(typeof address === 'object' && address !== null);
  const machine = new TestMachine();
  const loop = new EventLoop({ machine });
  loop.perform(() =>
    machine.ask({
      kind: 'connect',
      connection: 'o1',
      remote: { address: '127.0.0.1', port: address.port },
    }),
  );
  await machine.next('connection-established');
  const payload = new Uint8Array(1_000_000);
  for (let count = 0; count < 20 && machine.count('connection-closed') === 0; count++) {
    loop.perform(() => machine.ask({ kind: 'transmit', transport: 'tcp', connection: 'o1', payload }));
    await settled();
  }
  const closed = await machine.next('connection-closed');
  assert.match(closed.kind === 'connection-closed' ? closed.reason : '', /does not read/);
  loop.close();
  deaf.close();
});

test('EventLoop hands events and effects to their callbacks and takes a completion from within', () => {
  const machine = new TestMachine((input) =>
    input.kind === 'effect-completed' ? [{ kind: 'event', event: `done ${input.id}` }] : [],
  );
  const events: string[] = [];
  const loop: EventLoop<OwnInput, string, { readonly id: number }> = new EventLoop({
    machine,
    onEvent: (event) => events.push(event),
    onEffect: (effect) => loop.handleInput({ kind: 'effect-completed', id: effect.id }),
  });
  loop.perform(() => {
    machine.ask({ kind: 'effect', effect: { id: 7 } });
    machine.ask({ kind: 'event', event: 'asked' });
  });
  assert.deepEqual(events, ['asked', 'done 7']);
  loop.close();
});

test('EventLoop wakes the machine at its deadlines, never early', async () => {
  const machine = new TestMachine();
  const loop = new EventLoop({ machine });
  loop.perform((now) => machine.wakeAt(now + 5, now + 5.5, now + 20));
  await until(() => machine.woken.length === 3);
  assert.deepEqual(
    machine.woken.map(({ asked, at }) => at >= asked),
    [true, true, true],
  );
  loop.close();
});

test('EventLoop is silent after close', async () => {
  const machine = new TestMachine();
  const loop = new EventLoop({ machine });
  loop.perform((now) => machine.wakeAt(now + 1));
  loop.close();
  loop.handleInput({ kind: 'effect-completed', id: 1 });
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([machine.woken, machine.inputs], [[], []]);
});

/** Records its inputs, answers by a function, and asks for what the test tells it to ask for. */
class TestMachine {
  readonly inputs: (NetworkInput | OwnInput)[] = [];
  readonly woken: { readonly asked: Instant; readonly at: Instant }[] = [];
  readonly #answer: (input: NetworkInput | OwnInput) => Output[];
  readonly #outputs: Output[] = [];
  readonly #deadlines: Instant[] = [];
  #taken = 0;

  constructor(answer: (input: NetworkInput | OwnInput) => Output[] = () => []) {
    this.#answer = answer;
  }

  ask(output: Output): void {
    this.#outputs.push(output);
  }

  wakeAt(...instants: Instant[]): void {
    this.#deadlines.push(...instants);
  }

  handleInput(input: NetworkInput | OwnInput): void {
    this.inputs.push(input);
    this.#outputs.push(...this.#answer(input));
  }

  handleTimeout(now: Instant): void {
    const asked = this.#deadlines.shift();
    if (asked !== undefined) this.woken.push({ asked, at: now });
  }

  pollOutput(): Output | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    const at = this.#deadlines[0];
    return at === undefined ? undefined : { at, reason: 'test' };
  }

  count(kind: string): number {
    return this.inputs.filter((input) => input.kind === kind).length;
  }

  /** The next input of a kind, in the order of arrival; those before it are passed over. */
  async next(kind: string): Promise<NetworkInput | OwnInput> {
    await until(() => this.inputs.slice(this.#taken).some((input) => input.kind === kind));
    const index = this.inputs.findIndex((input, at) => at >= this.#taken && input.kind === kind);
    this.#taken = index + 1;
    return this.inputs[index]!;
  }
}

const echo = new TestMachine((input) =>
  input.kind === 'datagram-received'
    ? [
        {
          kind: 'transmit',
          transport: 'udp',
          local: input.local,
          remote: input.remote,
          payload: input.payload,
        },
      ]
    : [],
);

function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 3000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function freePort(address: string): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const { port }: TransportAddress = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

async function freeTcpPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
