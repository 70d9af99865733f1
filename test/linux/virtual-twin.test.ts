import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Binding, BindingTable } from '../../src/translation/binding-table.ts';
import { PacketTranslator } from '../../src/translation/packet-translator.ts';
import { kernelTest } from './own-namespace.ts';
import { buildPacket, hasRightChecksums, PacketProbe } from './packet-probe.ts';
import { addresses, bindingOf, openHomeTranslator, openTranslatorNetwork } from './translator-network.ts';

const step = fc.record({
  action: fc.constantFrom('install', 'accept', 'move', 'release', 'timeout', 'none'),
  family: fc.constantFrom<4 | 6>(4, 6),
  transport: fc.constantFrom('udp', 'tcp by mobile node', 'tcp by correspondent'),
  access: fc.constantFrom<'threeG' | 'wlan'>('threeG', 'wlan'),
  number: fc.nat({ max: 1 }),
  strangePort: fc.boolean(),
  withoutChecksum: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 100 }),
});

kernelTest(
  'PacketTranslator: agrees with the kernel on every packet, whatever was done to the bindings',
  () => {
    const network = openTranslatorNetwork();
    const probe = new PacketProbe(network.cn, network.mn, [22, 32]);
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        const kernel = openHomeTranslator(network);
        const twin = new PacketTranslator();
        const bindings = new BindingTable({ graceTimeMs: 3 });
        try {
          for (const [now, one] of steps.entries()) {
            const binding = bindingFor(one);
            const mobileNode = { ...binding.mobileNode, address: addresses[one.family][one.access] };
            const operations = {
              install: () => bindings.install({ ...binding, mobileNode }),
              accept: () => bindings.accept(binding.id, mobileNode.address),
              move: () => bindings.move(binding.id, mobileNode, now),
              release: () => bindings.release(binding.id),
              timeout: () => bindings.handleTimeout(now),
              none: () => undefined,
            }[one.action]()?.operations;
            kernel.apply(operations ?? []);
            twin.apply(operations ?? []);
            const packet = packetFor(binding, one);
            const expected = twin.translate(packet)?.octets;
            const seen = probe.pass(packet, expected ? 1 : 0);
            assert.deepEqual(seen.map(hasRightChecksums), expected ? [true] : []);
            assert.deepEqual(
              seen.map(withoutVolatileFields),
              expected ? [withoutVolatileFields(expected)] : [],
            );
          }
        } finally {
          network.home.run(() => kernel.close());
        }
      }),
      { seed: 1, numRuns: 25 },
    );
    probe.close();
    network.close();
  },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function bindingFor({ family, transport, number }: Step): Binding {
  const base = bindingOf(family);
  const { towardsCorrespondent, towardsMobileNode } = base;
  return {
    ...base,
    id: `${family} ${transport} ${number}`,
    protocol: transport === 'udp' ? 'udp' : 'tcp',
    ...(transport === 'tcp by mobile node' && { activeEnd: 'mobile-node' }),
    ...(transport === 'tcp by correspondent' && { activeEnd: 'correspondent-node' }),
    correspondent: { ...base.correspondent, port: 7000 + number },
    towardsCorrespondent: { ...towardsCorrespondent, port: towardsCorrespondent.port + number },
    towardsMobileNode: { ...towardsMobileNode, port: towardsMobileNode.port + number },
    mobileNode: { ...base.mobileNode, port: 6000 + number },
  };
}

/** One from the correspondent; a strange port is nobody's. */
function packetFor(binding: Binding, { family, strangePort, withoutChecksum, payload }: Step): Uint8Array {
  const { protocol, correspondent, towardsCorrespondent } = binding;
  return buildPacket({
    protocol,
    source: correspondent.address,
    sourcePort: correspondent.port + (strangePort ? 100 : 0),
    destination: towardsCorrespondent.address,
    destinationPort: towardsCorrespondent.port + (strangePort ? 100 : 0),
    payload,
    withoutChecksum: withoutChecksum && protocol === 'udp' && family === 4,
  });
}

/** Forwarding counts the hop limit down, and 0 and 0xffff are the same sum; checksums are checked by themselves. */
function withoutVolatileFields(octets: Uint8Array): number[] {
  const copy = [...octets];
  const isIpv4 = (copy[0] ?? 0) >> 4 === 4;
  const transport = isIpv4 ? 20 : 40;
  const checksum = transport + (copy[isIpv4 ? 9 : 6] === 17 ? 6 : 16);
  for (const at of isIpv4 ? [8, 10, 11] : [7]) copy[at] = 0;
  const hasNone = copy[checksum] === 0 && copy[checksum + 1] === 0;
  copy[checksum] = hasNone ? 0 : 1;
  copy[checksum + 1] = 0;
  return copy;
}
