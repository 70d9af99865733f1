/**
 * How fast a handover takes effect in the kernel: from the call of `apply` to the first packet on the new path, with 50,000 packets/s on
 * that binding (so the resolution is 0.02 ms), and how many bindings can be moved per second, alone and a thousand to a transaction.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { BindingTable } from '../src/translation/binding-table.ts';
import type { FlowKey, TranslationOperation } from '../src/translation/translation-operation.ts';
import { PacketFlow, PacketSink } from '../test/linux/packet-flow.ts';
import { addresses, openHomeTranslator, openTranslatorNetwork } from '../test/linux/translator-network.ts';
import { type Benchmark, medianOf } from './harness.ts';
import { bindingNumber, manyBindings } from './many-bindings.ts';

const { threeG, wlan } = addresses[4];
const BINDINGS = 1000;

class Bench {
  readonly #network = openTranslatorNetwork();
  readonly #translator = openHomeTranslator(this.#network);
  readonly #bindings = new BindingTable({ graceTimeMs: 0 });
  readonly #numbered = Array.from({ length: BINDINGS }, (_, index) => bindingNumber(index));
  readonly #downlinks: FlowKey[] = [];
  readonly #marks: number[] = [];
  #moves = 0;
  #lastMark = 0x100_0000;

  constructor() {
    for (const operations of manyBindings(BINDINGS, this.#bindings)) this.#translator.apply(operations);
    for (let i = 0; i < BINDINGS; i++) this.#downlinks.push(...this.#bindings.flowsOf(`${i}`).slice(0, 1));
  }

  /** Milliseconds, the median of 40 switches 30 ms apart. */
  async switchLatencyMs(): Promise<number> {
    const { correspondent, towardsCorrespondent, mobileNode } = bindingNumber(0);
    const sink = new PacketSink(this.#network.mn, mobileNode.port);
    const flow = await PacketFlow.start({
      namespaceFd: this.#network.cn.fd,
      local: correspondent,
      remote: towardsCorrespondent,
      packetsPerSecond: 50_000,
      length: 160,
    });
    const latencies: number[] = [];
    for (let i = 0; i < 40; i++) {
      await sleep(20);
      this.#retire();
      await sleep(5);
      sink.drain();
      const operations = this.#moveOne(0);
      const calledAt = process.hrtime.bigint();
      this.#translator.apply(operations);
      await sleep(5);
      const { destination } = this.#destinationOf(0);
      const first = sink.drain().find((arrival) => arrival.destination === destination);
      // One that was sent before had been waiting in a busy kernel: it tells nothing.
      if (first && first.sentAtNs > calledAt) latencies.push(Number(first.sentAtNs - calledAt) / 1e6);
    }
    await flow.stop();
    sink.close();
    return medianOf(latencies);
  }

  /** Bindings whose downlink is sent elsewhere, per second, `batch` of them to a transaction. */
  movesPerSecond(batch: number): number {
    const start = process.hrtime.bigint();
    let moved = 0;
    let elapsed = 0;
    do {
      const operations: TranslationOperation[] = [];
      for (let i = 0; i < batch; i++) operations.push(...this.#flip(moved++ % BINDINGS));
      this.#translator.apply(operations);
      elapsed = Number(process.hrtime.bigint() - start) / 1e9;
    } while (elapsed < 0.3);
    return moved / elapsed;
  }

  close(): void {
    this.#network.home.run(() => this.#translator.close());
    this.#network.close();
  }

  /** The next version is defined and selected, and the former one forgotten: one element of the kernel's map changes. */
  #flip(index: number): TranslationOperation[] {
    const { protocol, towardsMobileNode } = this.#numbered[index] ?? assert.fail();
    const key = this.#downlinks[index] ?? assert.fail();
    const former = this.#marks[index] ?? 0;
    const mark = ++this.#lastMark;
    this.#marks[index] = mark;
    const { address, port } = towardsMobileNode;
    const destination = mark % 2 === 0 ? threeG : wlan;
    const rewrite = { source: address, sourcePort: port, destination, destinationPort: port };
    const define = { kind: 'define-version' as const, mark, family: 4 as const, protocol, rewrite };
    const select = { kind: 'select-version' as const, key, mark };
    return former === 0 ? [define, select] : [define, select, { kind: 'forget-version', mark: former }];
  }

  #destinationOf(index: number): { destination: string } {
    return { destination: this.#bindings.get(`${index}`)?.mobileNode.address ?? '' };
  }

  /** What follows a handover when the grace time is over: the former version and address gone. */
  #retire(): void {
    this.#translator.apply(this.#bindings.handleTimeout(this.#moves).operations);
  }

  /** What a handover is: the new address accepted, the downlink moved. */
  #moveOne(index: number): TranslationOperation[] {
    const now = ++this.#moves;
    const { destination } = this.#destinationOf(index);
    const mobileNode = {
      address: destination === threeG ? wlan : threeG,
      port: bindingNumber(index).mobileNode.port,
    };
    return [...(this.#bindings.move(`${index}`, mobileNode, now)?.operations ?? assert.fail())];
  }
}

let bench: Bench | undefined;
const open = (): Bench => {
  bench ??= new Bench();
  return bench;
};
const unavailable = (): string | undefined =>
  process.getuid?.() === 0 ? undefined : 'network namespaces need root (or: unshare -Urn)';
const tearDown = (): void => {
  bench?.close();
  bench = undefined;
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'translation: from the command to the first packet on the new path, under 50,000 packets/s',
    unit: 'ms',
    rounds: 9,
    variants: [{ name: 'handover', sample: () => open().switchLatencyMs() }],
    requirements: [
      { text: 'below 1 ms', kind: 'must', isMet: (of) => of('handover') < 1 },
      { text: 'below 0.15 ms', kind: 'goal', isMet: (of) => of('handover') < 0.15 },
    ],
    unavailable,
    tearDown,
  },
  {
    name: 'translation: bindings moved',
    unit: 'bindings/s',
    rounds: 9,
    variants: [
      { name: 'one by one', sample: () => open().movesPerSecond(1) },
      { name: '100 to a transaction', sample: () => open().movesPerSecond(100) },
      { name: '1,000 to a transaction', sample: () => open().movesPerSecond(1000) },
    ],
    requirements: [
      { text: '25,000/s one by one', kind: 'must', isMet: (of) => of('one by one') >= 25_000 },
      { text: '200,000/s batched', kind: 'must', isMet: (of) => of('1,000 to a transaction') >= 200_000 },
    ],
    unavailable,
    tearDown,
  },
];
