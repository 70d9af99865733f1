/**
 * What translation costs per packet: 160-octet UDP packets from the correspondent through the home network's translator towards the
 * mobile node, for each of N bindings in turn. veth links do everything in the sender's context, so the sender's processor time is that
 * of the whole path; that of a path which ends where the translator begins is taken off. Beside it plain forwarding, and NAT by
 * connection tracking with a map (the paper's prototype had iptables rules).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSysctl } from '../src/drivers/linux/sysctl.ts';
import { PacketFlow } from '../test/linux/packet-flow.ts';
import {
  addresses,
  openHomeTranslator,
  openTranslatorNetwork,
  type TranslatorNetwork,
} from '../test/linux/translator-network.ts';
import type { Benchmark, Variant } from './harness.ts';
import { bindingNumber, firstPort, manyBindings } from './many-bindings.ts';
import { addDropRule, addTrackingTranslator } from './plain-nftables.ts';

const SAMPLE_MS = 150;
const { correspondent, towardsCorrespondent, towardsMobileNode, threeG } = addresses[4];
const closing: (() => void)[] = [];
let senderAloneNs = 0;

const senderAlone: Variant = {
  name: 'sender and first link (taken off)',
  sample: sampler(
    1,
    towardsCorrespondent,
    (network) => network.home.run(addDropRule),
    (ns) => {
      senderAloneNs = ns;
      return ns;
    },
  ),
};

const forwarding: Variant = {
  name: 'plain forwarding',
  sample: sampler(1, threeG, (network) =>
    network.home.run(() => writeSysctl({ name: 'ipv4/ip_forward', value: '1' })),
  ),
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'translation: processor time per 160-octet packet',
    unit: 'ns/packet',
    rounds: 9,
    variants: [
      senderAlone,
      forwarding,
      ...[1, 1000, 100_000].flatMap((count) => [translated(count), tracked(count)]),
      translated(1000, true),
    ],
    requirements: [
      {
        text: 'cheaper than 2,342 ns (an earlier design with five maps and four writes) at 1,000 bindings',
        kind: 'must',
        isMet: (medianOf) => medianOf('translated, 1,000 bindings') < 2342,
      },
    ],
    unavailable: () =>
      process.getuid?.() === 0 ? undefined : 'network namespaces need root (or: unshare -Urn)',
    tearDown: () => {
      for (const close of closing) close();
    },
  },
];

function translated(count: number, counters = false): Variant {
  return {
    name: `translated, ${count.toLocaleString('en-US')} bindings${counters ? ', counted' : ''}`,
    sample: sampler(count, towardsCorrespondent, (network) => {
      const translator = openHomeTranslator(network, { capacity: 262_144, counters });
      closing.unshift(() => network.home.run(() => translator.close()));
      for (const operations of manyBindings(count)) translator.apply(operations);
    }),
  };
}

function tracked(count: number): Variant {
  return {
    name: `connection tracking, ${count.toLocaleString('en-US')} bindings`,
    sample: sampler(count, towardsCorrespondent, (network) =>
      network.home.run(() => {
        writeSysctl({ name: 'ipv4/ip_forward', value: '1' });
        const elements = Array.from({ length: count }, (_, index) => {
          const { towardsCorrespondent: from, mobileNode: to } = bindingNumber(index);
          return { destination: from.address, port: from.port, to: to.address, toPort: to.port };
        });
        addTrackingTranslator(towardsMobileNode, elements);
      }),
    ),
  };
}

/** Each variant has a network of its own, made when it is first measured. */
function sampler(
  destinations: number,
  address: string,
  prepare: (network: TranslatorNetwork) => void,
  result = (ns: number) => ns - senderAloneNs,
): () => Promise<number> {
  let network: TranslatorNetwork | undefined;
  return async () => {
    if (network === undefined) {
      network = openTranslatorNetwork();
      closing.push(network.close);
      network.mn.run(addDropRule);
      prepare(network);
    }
    return result(await nanosecondsPerPacket(network, address, destinations));
  };
}

async function nanosecondsPerPacket(
  network: TranslatorNetwork,
  address: string,
  destinations: number,
): Promise<number> {
  const flow = await PacketFlow.start({
    namespaceFd: network.cn.fd,
    local: { address: correspondent, port: 7000 },
    remote: { address, port: firstPort },
    packetsPerSecond: 0,
    length: 160,
    destinations,
  });
  await sleep(SAMPLE_MS);
  const { sent, cpuSeconds } = await flow.stop();
  return (cpuSeconds * 1e9) / sent;
}
