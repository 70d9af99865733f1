/**
 * Two mobile users of one home network in a call: two bindings in a row in one translator, and both nodes move at once.
 *
 *     node A (two addresses) ──── home: x:20000 y:30000, x:20001 y:30001 ──── node B (two addresses)
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  SOCK_STREAM,
} from '../../src/drivers/linux/system-calls.ts';
import { type Binding, BindingTable } from '../../src/translation/binding-table.ts';
import { LocalBindingTable } from '../../src/translation/local-binding-table.ts';
import { kernelTest } from './own-namespace.ts';
import { buildPacket, PacketProbe } from './packet-probe.ts';
import {
  addresses,
  openHomeTranslator,
  openTranslatorNetwork,
  type TranslatorNetwork,
  UdpEnd,
} from './translator-network.ts';

const { towardsCorrespondent: x, towardsMobileNode: y, internal, threeG, wlan, correspondent } = addresses[4];
const accessesOf = { a: [threeG, wlan], b: [correspondent, '203.0.113.8'] } as const;

kernelTest('NftablesTranslator: datagrams pass between two mobile nodes of one home network', async () => {
  const call = new Call('udp');
  const a = new UdpEnd(call.network.mn, { address: internal, port: 6000 }, call.a.towardsMobileNode);
  const b = new UdpEnd(call.network.cn, { address: internal, port: 7000 }, call.b.towardsMobileNode);
  for (let handovers = 0; handovers < 4; handovers++) {
    a.send(`to B ${handovers}`);
    assert.equal(await b.receive(), `to B ${handovers}`);
    b.send(`to A ${handovers}`);
    assert.equal(await a.receive(), `to A ${handovers}`);
    if (handovers === 0) assert.deepEqual(call.countedTowards('b'), { packets: 1, octets: 20 + 8 + 6 });
    call.handOverBoth();
  }
  a.close();
  b.close();
  call.close();
});

kernelTest(
  'NftablesTranslator: a TCP connection between two mobile nodes survives that both move',
  async () => {
    const call = new Call('tcp');
    let isDone = false;
    const transfer = assertIntact(call, 20_000_000).finally(() => {
      isDone = true;
    });
    const handovers = async () => {
      for (let count = 0; count < 20 || !isDone; count++) {
        call.handOverBoth();
        await sleep(5);
      }
    };
    await Promise.all([transfer, handovers()]);
    call.close();
  },
);

kernelTest(
  "NftablesTranslator: nobody gets into a stream between two mobile nodes with the translator's own address",
  () => {
    const call = new Call('udp');
    const probe = new PacketProbe(call.network.cn, call.network.mn, [22, 32]);
    const fields = { protocol: 'udp', source: x, destination: x, payload: new Uint8Array(9) } as const;
    assert.deepEqual(
      probe.pass(buildPacket({ ...fields, sourcePort: 20001, destinationPort: 20000 }), 0),
      [],
    );
    assert.equal(
      call.network.home.run(() => call.home.readDropped()),
      1,
    );
    probe.close();
    call.close();
  },
);

/** A calls B; with TCP it is also A who connects. */
class Call {
  readonly network: TranslatorNetwork = openTranslatorNetwork();
  readonly a: Binding;
  readonly b: Binding;
  readonly home: NftablesTranslator;
  readonly #bindings = new BindingTable({ graceTimeMs: 20 });
  readonly #ends: readonly MobileEnd[];
  #now = 0;

  constructor(protocol: 'udp' | 'tcp') {
    const isTcp = protocol === 'tcp';
    this.a = {
      id: 'a',
      protocol,
      ...(isTcp && { activeEnd: 'mobile-node' }),
      correspondent: { address: x, port: 20001 },
      towardsCorrespondent: { address: x, port: 20000 },
      towardsMobileNode: { address: y, port: 30000 },
      mobileNode: { address: threeG, port: 6000 },
    };
    this.b = {
      id: 'b',
      protocol,
      ...(isTcp && { activeEnd: 'correspondent-node' }),
      correspondent: { address: x, port: 20000 },
      towardsCorrespondent: { address: x, port: 20001 },
      towardsMobileNode: { address: y, port: 30001 },
      mobileNode: { address: correspondent, port: 7000 },
    };
    this.home = openHomeTranslator(this.network, { counters: true });
    addAddresses(this.network.cn, [`${accessesOf.b[1]}/24`, `${internal}/32`]);
    this.#ends = [new MobileEnd(this.network.mn, this.a), new MobileEnd(this.network.cn, this.b)];
    for (const binding of [this.a, this.b])
      this.home.apply(this.#bindings.install(binding)?.operations ?? assert.fail());
  }

  /** Both nodes in one transaction of the home network's translator. */
  handOverBoth(): void {
    this.#now += 10;
    this.home.apply(this.#bindings.handleTimeout(this.#now).operations);
    this.home.apply(
      this.#ends.flatMap((end) => {
        const mobileNode = { address: end.accept(), port: end.binding.mobileNode.port };
        return [...(this.#bindings.move(end.binding.id, mobileNode, this.#now)?.operations ?? assert.fail())];
      }),
    );
    for (const end of this.#ends) end.move();
  }

  countedTowards(id: 'a' | 'b'): { packets: number; octets: number } | undefined {
    const [downlink] = this.#bindings.flowsOf(id);
    return this.home.readCounter(downlink ?? assert.fail());
  }

  close(): void {
    for (const end of this.#ends) end.close();
    this.network.home.run(() => this.home.close());
    this.network.close();
  }
}

/** A mobile node's own translator, with two addresses to change between. */
class MobileEnd {
  readonly binding: Binding;
  readonly #namespace: NetworkNamespace;
  readonly #translator: NftablesTranslator;
  readonly #bindings = new LocalBindingTable();
  #present = 0;

  constructor(namespace: NetworkNamespace, binding: Binding) {
    const { id, protocol, activeEnd, mobileNode, towardsMobileNode: peer } = binding;
    this.binding = binding;
    this.#namespace = namespace;
    this.#translator = namespace.run(() =>
      NftablesTranslator.open({ instance: id, placement: 'mobile-node', addresses: [internal] }),
    );
    const application = { address: internal, port: mobileNode.port };
    const local = { id, protocol, ...(activeEnd && { activeEnd }), application, peer };
    this.#translator.apply(this.#bindings.install(local, this.#access()) ?? assert.fail());
  }

  /** Receives at the other address too, and says which it is. */
  accept(): string {
    this.#present = 1 - this.#present;
    this.#translator.apply(this.#bindings.accept(this.binding.id, this.#access()));
    return this.#access().address;
  }

  move(): void {
    this.#translator.apply(this.#bindings.move(this.binding.id, this.#access()));
  }

  close(): void {
    this.#namespace.run(() => this.#translator.close());
  }

  #access(): { index: number; address: string } {
    const address = accessesOf[this.binding.id as 'a' | 'b'][this.#present] ?? assert.fail();
    return { index: 1 + this.#present, address };
  }
}

function addAddresses(namespace: NetworkNamespace, own: readonly string[]): void {
  namespace.run(() => {
    const links = new Rtnetlink();
    for (const address of own) links.addAddress(address.endsWith('/32') ? 'lo' : 'eth0', address);
    links.close();
  });
}

/** Sends random octets both ways over one connection and compares digests. */
async function assertIntact({ network, a, b }: Call, octets: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true });
  const open = (namespace: NetworkNamespace) => namespace.run(() => openSocket(AF_INET, SOCK_STREAM, 0));
  const listener = open(network.cn);
  bindSocket(listener, socketAddress({ address: internal, port: b.mobileNode.port }));
  listenSocket(listener);
  server.listen({ fd: listener });
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const fd = open(network.mn);
  bindSocket(fd, socketAddress({ address: internal, port: 0 }));
  connectSocket(fd, socketAddress(a.towardsMobileNode));
  const client = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  const [peer] = (await accepted) as [Socket];
  const digests = [client, peer].map(digestOf);
  const sent = [client, peer].map((socket) => {
    const payload = randomBytes(octets);
    socket.end(payload);
    return createHash('sha256').update(payload).digest('hex');
  });
  assert.deepEqual(await Promise.all(digests), sent.reverse());
  server.close();
}

async function digestOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk) => hash.update(chunk));
  await once(socket, 'end');
  return hash.digest('hex');
}
