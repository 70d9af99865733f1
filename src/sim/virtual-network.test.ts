import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LinkCharacteristics, perfectLink } from '../access-network/link-characteristics.ts';
import type { Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../base/network.ts';
import type { EffectOutput, EventOutput } from '../base/network-function.ts';
import { formatLadder } from '../observation/message-ladder.ts';
import type { FlowKey, TranslationOperation } from '../translation/translation-operation.ts';
import type { Faults } from './fault-injector.ts';
import type { VirtualHost } from './virtual-host.ts';
import type { VirtualLink } from './virtual-link.ts';
import { VirtualNetwork } from './virtual-network.ts';
import type { VirtualProcess } from './virtual-process.ts';

test('VirtualNetwork carries a datagram in the time that its two links take, and the answer back', () => {
  const { client, server, network } = pair({ delayMs: 10 }, { delayMs: 25 });
  server.machine.answer = echo;
  client.process.perform(() => client.machine.sendDatagram('hello'));
  network.simulation.runUntil(69.9);
  assert.deepEqual(client.machine.received, []);
  network.simulation.runUntil(70);
  assert.deepEqual(client.machine.received, [[70, 'datagram-received hello']]);
});

test('VirtualNetwork holds a packet of a limited link for as long as it takes to serialise', () => {
  const { client, server, network } = pair({ rateBitsPerSecond: 8000 }, {});
  client.process.perform(() => client.machine.sendDatagram('x'.repeat(72)));
  network.simulation.runFor(1000);
  assert.deepEqual(
    server.machine.received.map(([at]) => at),
    [100],
  );
});

test('VirtualHost refuses a datagram to a port where nobody listens, and one from an address it has not', () => {
  const { client, server, network } = pair({ delayMs: 10 }, { delayMs: 10 });
  const [local, nobody] = [
    { address: '192.0.2.1', port: 5060 },
    { address: '198.51.100.1', port: 9 },
  ];
  client.process.perform(() =>
    client.machine.ask({
      kind: 'transmit',
      transport: 'udp',
      local,
      remote: nobody,
      payload: new Uint8Array(1),
    }),
  );
  network.simulation.runFor(100);
  assert.deepEqual(client.machine.inputs, [{ kind: 'datagram-refused', local, remote: nobody }]);
  assert.deepEqual(client.machine.received[0]?.[0], 40);
  client.host.removeAddress('192.0.2.1');
  client.process.perform(() => client.machine.sendDatagram('from nowhere'));
  network.simulation.runFor(100);
  assert.deepEqual(client.machine.received[1]?.[0], 100);
  assert.deepEqual(server.machine.inputs, []);
});

test('VirtualHost opens a byte stream, carries it both ways, and tells of its end', () => {
  const { client, server, network } = pair({ delayMs: 10 }, { delayMs: 10 });
  server.machine.answer = echo;
  client.process.perform(() => {
    client.machine.connect('o1');
    client.machine.sendOctets('o1', 'over tcp');
  });
  network.simulation.runFor(200);
  assert.deepEqual(
    client.machine.received.map(([at, text]) => `${at} ${text}`),
    ['40 connection-established', '80 stream-received over tcp'],
  );
  assert.deepEqual(server.machine.inputs[0], {
    kind: 'connection-accepted',
    connection: 'a1',
    local: { address: '198.51.100.1', port: 5060 },
    remote: { address: '192.0.2.1', port: 32768 },
  });
  server.process.perform(() => server.machine.ask({ kind: 'close', connection: 'a1' }));
  network.simulation.runFor(200);
  assert.deepEqual(client.machine.inputs.at(-1), {
    kind: 'connection-closed',
    connection: 'o1',
    reason: 'closed by the peer',
  });
  assert.equal(server.machine.inputs.filter((input) => input.kind === 'connection-closed').length, 0);
});

test('VirtualHost keeps a chosen local port for its connection', () => {
  const { client, server, network } = pair({}, {});
  client.process.perform(() => client.machine.connect('o1', { address: '192.0.2.1', port: 4000 }));
  network.simulation.runFor(10);
  const accepted = server.machine.inputs[0];
  assert.equal(accepted?.kind === 'connection-accepted' && accepted.remote.port, 4000);
});

test('VirtualHost says why a connection was refused, reset or could not begin', () => {
  const { client, server, network } = pair({ delayMs: 10 }, {});
  client.process.perform(() => {
    client.machine.ask({ kind: 'connect', connection: 'o1', remote: { address: '198.51.100.1', port: 9 } });
    client.machine.ask({
      kind: 'connect',
      connection: 'o2',
      local: { address: '192.0.2.200', port: 0 },
      remote: { address: '198.51.100.1', port: 5060 },
    });
    client.machine.connect('o3');
  });
  network.simulation.runFor(100);
  client.host.removeAddress('192.0.2.1');
  network.simulation.runFor(1);
  const reasons = client.machine.inputs.flatMap((input) =>
    input.kind === 'connection-closed' ? [`${input.connection}: ${input.reason}`] : [],
  );
  assert.deepEqual(reasons, [
    'o2: 192.0.2.200 is not assigned',
    'o1: connection refused',
    'o3: 192.0.2.1 is not assigned any more',
  ]);
  assert.equal(server.machine.inputs.length, 1);
});

test('VirtualLink loses what is on it when it is cut, and carries again when it is mended', () => {
  const { client, server, network } = pair({ delayMs: 10 }, {});
  client.process.perform(() => client.machine.sendDatagram('lost'));
  network.simulation.runFor(5);
  client.link.setUp(false);
  network.simulation.runFor(100);
  client.link.setUp(true);
  client.process.perform(() => client.machine.sendDatagram('kept'));
  network.simulation.runFor(100);
  assert.deepEqual(
    server.machine.received.map(([, text]) => text),
    ['datagram-received kept'],
  );
});

test('VirtualHost is silent once it is killed, and its peers time out', () => {
  const { client, server, network } = pair({ delayMs: 10 }, { delayMs: 10 });
  server.machine.answer = echo;
  client.process.perform(() => client.machine.connect('o1'));
  network.simulation.runFor(100);
  server.host.kill();
  client.process.perform(() => client.machine.sendOctets('o1', 'anybody there?'));
  assert.ok(network.simulation.runWhile(() => client.machine.inputs.length < 2, 600_000));
  assert.equal(client.machine.received.at(-1)?.[1], 'connection-closed timed out');
  assert.equal(client.host.tcpStatistics.timeouts, 8);
});

test('FaultInjector loses, duplicates and reorders signalling, never media', () => {
  const { client, server, network } = pair({}, {}, { loss: 0.2, duplication: 0.2, reordering: 0.2 });
  for (let count = 0; count < 500; count++)
    network.simulation.schedule(count, () =>
      client.process.perform(() => {
        client.machine.sendDatagram(String(count));
        client.machine.sendDatagram(`\u0080${count}`);
      }),
    );
  network.simulation.runFor(2000);
  const media = server.machine.received.map(([, text]) => text).filter((text) => text.includes('\u0080'));
  assert.deepEqual(
    media,
    Array.from({ length: 500 }, (_, index) => `datagram-received \u0080${index}`),
  );
  const numbers = server.machine.received
    .map(([, text]) => Number(text.replace('datagram-received ', '')))
    .filter((number) => !Number.isNaN(number));
  const distinct = new Set(numbers).size;
  assert.ok(
    distinct > 250 && distinct < 400,
    `${distinct} of 500 arrived through two links that lose a fifth`,
  );
  assert.ok(numbers.length > distinct + 50, 'some arrived twice');
  assert.ok(
    numbers.some((number, index) => number < (numbers[index - 1] ?? 0)),
    'some arrived out of order',
  );
});

test('VirtualNetwork repeats a run to the byte when the seed is the same, and only then', () => {
  const first = JSON.stringify(signallingRun(7));
  assert.equal(JSON.stringify(signallingRun(7)), first);
  assert.notEqual(JSON.stringify(signallingRun(8)), first);
});

test('VirtualNetwork shows its signalling as a ladder', () => {
  const { client, network } = pair({ delayMs: 5 }, {});
  client.process.perform(() => client.machine.sendDatagram(options('1')));
  network.simulation.runFor(100);
  assert.deepEqual(formatLadder(network.trace, { nodes: ['client', 'server'], width: 40 }), [
    '       client              server',
    '          │─────OPTIONS──────▶│',
  ]);
});

test('VirtualTranslator flips a media stream to another access with one element, unseen by either end', () => {
  const lab = translatedStream();
  const used: Instant[] = [];
  lab.network.simulation.runUntil(500);
  lab.mobile.host.watchFlows([key('203.0.113.2', '10.2.0.2', 4000)], () =>
    used.push(lab.network.simulation.now),
  );
  lab.handover();
  lab.network.simulation.runUntil(1000);
  assert.deepEqual(used, [575], 'the first packet over the new access is told once');
  const seen = lab.correspondent.machine.inputs.map((input) =>
    input.kind === 'datagram-received' ? `${input.remote.address}:${input.remote.port}` : input.kind,
  );
  assert.deepEqual([...new Set(seen)], ['203.0.113.1:20000']);
  assert.deepEqual(
    lab.correspondent.machine.received.map(([, text]) => text),
    Array.from({ length: lab.sent() }, (_, index) => `datagram-received ${index}`),
  );
  const back = lab.mobile.machine.inputs.map((input) =>
    input.kind === 'datagram-received' ? `${input.remote.address} > ${input.local.address}` : input.kind,
  );
  assert.deepEqual([...new Set(back)], ['203.0.113.2 > 10.64.0.1']);
  assert.equal(back.length, lab.sent());
});

test('VirtualTranslator drops what comes from an address that no binding knows', () => {
  const lab = translatedStream();
  const stranger = attach(lab.network, 'stranger', '192.0.2.66', {});
  stranger.process.perform(() =>
    stranger.machine.ask({
      kind: 'transmit',
      transport: 'udp',
      local: { address: '192.0.2.66', port: 5060 },
      remote: { address: '203.0.113.2', port: 30000 },
      payload: new Uint8Array(9),
    }),
  );
  lab.network.simulation.runUntil(15);
  assert.deepEqual([lab.correspondent.machine.inputs.length, stranger.machine.inputs], [0, []]);
});

test('VirtualNetwork runs an hour of a call of 50 packets a second each way', () => {
  const { client, server, network } = pair({ delayMs: 50, jitterMs: 10 }, { delayMs: 5 });
  server.machine.answer = echo;
  client.machine.sendEvery(20, 180_000);
  client.process.perform(() => {});
  network.simulation.runUntil(3_600_200);
  assert.deepEqual([server.machine.received.length, client.machine.received.length], [180_000, 180_000]);
});

interface Node {
  readonly host: VirtualHost;
  readonly link: VirtualLink;
  readonly machine: TestFunction;
  readonly process: VirtualProcess<never, never, never>;
}

function pair(
  client: Partial<LinkCharacteristics>,
  server: Partial<LinkCharacteristics>,
  faults?: Faults,
  seed = 1,
): { network: VirtualNetwork; client: Node; server: Node } {
  const network = new VirtualNetwork(seed);
  return {
    network,
    client: attach(network, 'client', '192.0.2.1', client, faults),
    server: attach(network, 'server', '198.51.100.1', server, faults),
  };
}

function attach(
  network: VirtualNetwork,
  name: string,
  address: string,
  characteristics: Partial<LinkCharacteristics>,
  faults?: Faults,
): Node {
  const host = network.addHost(name);
  const direction = { ...perfectLink, ...characteristics };
  const link = host.attach('eth0', { uplink: direction, downlink: direction, ...(faults && { faults }) });
  host.addAddress(address, link);
  return { host, link, ...run(host, address, 5060) };
}

function run(host: VirtualHost, address: string, port: number): Pick<Node, 'machine' | 'process'> {
  const machine = new TestFunction({ address, port });
  const process = host.run<never, never, never>({ machine });
  process.perform(() => machine.start());
  return { machine, process };
}

function signallingRun(seed: number): unknown {
  const { client, server, network } = pair(
    { delayMs: 40, jitterMs: 20 },
    { delayMs: 1 },
    { loss: 0.1, duplication: 0.1, reordering: 0.1 },
    seed,
  );
  server.machine.answer = echo;
  client.process.perform(() => client.machine.connect('o1'));
  for (let count = 0; count < 100; count++)
    network.simulation.schedule(20 * count, () =>
      client.process.perform(() => {
        client.machine.sendDatagram(options(String(count)));
        client.machine.sendOctets('o1', options(`t${count}`));
      }),
    );
  network.simulation.runFor(10_000);
  return [network.trace, client.machine.received, server.machine.received];
}

/** TRIM fig. 5: a mobile node with two accesses, a home translator, a correspondent node; a datagram each way every 20 ms. */
function translatedStream() {
  const network = new VirtualNetwork(1);
  const mobileHost = network.addHost('mobile-node');
  const slow = { ...perfectLink, delayMs: 60 };
  const fast = { ...perfectLink, delayMs: 55 };
  mobileHost.addAddress('10.64.0.1');
  mobileHost.addAddress('10.1.0.2', mobileHost.attach('3g', { uplink: slow, downlink: slow }));
  mobileHost.addAddress('10.2.0.2', mobileHost.attach('wlan', { uplink: fast, downlink: fast }));
  const mobile = { host: mobileHost, ...run(mobileHost, '10.64.0.1', 4000) };
  const translator = network.addHost('translator');
  const wire = translator.attach('eth0', { uplink: perfectLink, downlink: perfectLink });
  translator.addTranslatedAddress('203.0.113.1', wire);
  translator.addTranslatedAddress('203.0.113.2', wire);
  const correspondent = attach(network, 'correspondent-node', '198.51.100.7', {});
  const uplink = (access: string) => key(access, '203.0.113.2', 30000);
  const localDownlink = (access: string) => key('203.0.113.2', access, 4000);
  const downlink = key('198.51.100.7', '203.0.113.1', 20000);
  const toCorrespondent = {
    source: '203.0.113.1',
    sourcePort: 20000,
    destination: '198.51.100.7',
    destinationPort: 5060,
  };
  const toAccess = (address: string) => ({
    source: '203.0.113.2',
    sourcePort: 30000,
    destination: address,
    destinationPort: 4000,
  });
  const localUplink = key('10.64.0.1', '203.0.113.2', 30000);
  translator.translate([
    define(1, toCorrespondent),
    define(2, toAccess('10.1.0.2')),
    select(uplink('10.1.0.2'), 1),
    select(downlink, 2),
  ]);
  mobileHost.translate([
    define(1, { source: '10.1.0.2' }),
    define(2, { destination: '10.64.0.1' }),
    select(localUplink, 1),
    select(localDownlink('10.1.0.2'), 2),
  ]);
  let sent = 0;
  const send = (): void => {
    if (network.simulation.now >= 800) return;
    const text = String(sent++);
    mobile.process.perform(() => mobile.machine.sendDatagram(text, { address: '203.0.113.2', port: 30000 }));
    correspondent.process.perform(() =>
      correspondent.machine.sendDatagram(text, { address: '203.0.113.1', port: 20000 }),
    );
    network.simulation.schedule(20, send);
  };
  network.simulation.schedule(20, send);
  const handover = (): void => {
    translator.translate([select(uplink('10.2.0.2'), 1)]);
    mobileHost.translate([select(localDownlink('10.2.0.2'), 2)]);
    translator.translate([define(3, toAccess('10.2.0.2')), select(downlink, 3)]);
    mobileHost.translate([define(3, { source: '10.2.0.2' }), select(localUplink, 3)]);
  };
  return { network, mobile, correspondent, handover, sent: () => sent };
}

function key(source: string, destination: string, port: number): FlowKey {
  return { family: 4, protocol: 'udp', source, destination, port, portOf: 'destination' };
}

function define(
  mark: number,
  rewrite: (TranslationOperation & { kind: 'define-version' })['rewrite'],
): TranslationOperation {
  return { kind: 'define-version', mark, family: 4, protocol: 'udp', rewrite };
}

function select(flow: FlowKey, mark: number): TranslationOperation {
  return { kind: 'select-version', key: flow, mark };
}

type Output = NetworkOutput | EventOutput<never> | EffectOutput<never>;

/** Listens on UDP and TCP, records what comes, answers by a function, and does what the test tells it to. */
class TestFunction {
  answer: (input: NetworkInput) => Output[] = () => [];
  readonly inputs: NetworkInput[] = [];
  readonly received: [Instant, string][] = [];
  readonly #local: { address: string; port: number };
  readonly #outputs: Output[] = [];
  #periodMs = 0;
  #left = 0;
  #nextAt: Instant = 0;

  constructor(local: { address: string; port: number }) {
    this.#local = local;
  }

  start(): void {
    this.ask({ kind: 'listen', transport: 'udp', local: this.#local });
    this.ask({ kind: 'listen', transport: 'tcp', local: this.#local });
  }

  ask(output: Output): void {
    this.#outputs.push(output);
  }

  sendEvery(periodMs: number, times: number): void {
    this.#periodMs = periodMs;
    this.#left = times;
  }

  sendDatagram(text: string, remote = { address: '198.51.100.1', port: 5060 }): void {
    const payload = octets(text);
    this.ask({ kind: 'transmit', transport: 'udp', local: this.#local, remote, payload });
  }

  connect(connection: string, local?: { address: string; port: number }): void {
    const remote = { address: '198.51.100.1', port: 5060 };
    this.ask({ kind: 'connect', connection, remote, ...(local && { local }) });
  }

  sendOctets(connection: string, text: string): void {
    this.ask({ kind: 'transmit', transport: 'tcp', connection, payload: octets(text) });
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.inputs.push(input);
    this.received.push([now, textOf(input)]);
    this.#outputs.push(...this.answer(input));
  }

  handleTimeout(now: Instant): void {
    if (this.#left === 0 || this.#nextAt > now) return;
    this.#left--;
    this.#nextAt += this.#periodMs;
    this.sendDatagram('\u0080media');
  }

  pollOutput(): Output | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.#left === 0 ? undefined : { at: this.#nextAt, reason: 'media' };
  }
}

function echo(input: NetworkInput): Output[] {
  if (input.kind === 'stream-received')
    return [{ kind: 'transmit', transport: 'tcp', connection: input.connection, payload: input.payload }];
  if (input.kind !== 'datagram-received') return [];
  const { local, remote, payload } = input;
  return [{ kind: 'transmit', transport: 'udp', local, remote, payload }];
}

function textOf(input: NetworkInput): string {
  if ('payload' in input) return `${input.kind} ${Buffer.from(input.payload).toString('latin1')}`;
  return 'reason' in input ? `${input.kind} ${input.reason}` : input.kind;
}

function options(callId: string): string {
  return [
    'OPTIONS sip:server SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
    'From: <sip:client@home.example>;tag=a',
    'To: <sip:server@home.example>',
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
