import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Binding, BindingTable } from '../../src/translation/binding-table.ts';
import { PacketTranslator } from '../../src/translation/packet-translator.ts';
import { kernelTest } from './own-namespace.ts';
import { buildPacket, hasRightChecksums, PacketProbe } from './packet-probe.ts';
import { addresses, bindingOf, openHomeTranslator, openTranslatorNetwork } from './translator-network.ts';

const step = fc.record({
  action: fc.constantFrom('install', 'install', 'move', 'move', 'accept', 'release', 'timeout', 'none'),
  family: fc.constantFrom<4 | 6>(4, 6),
  transport: fc.constantFrom('udp', 'tcp by mobile node', 'tcp by correspondent'),
  access: fc.constantFrom<'threeG' | 'wlan'>('threeG', 'wlan'),
  accessFamily: fc.constantFrom<4 | 6>(4, 6),
  number: fc.nat({ max: 1 }),
  strangePort: fc.constantFrom(false, false, false, true),
  withoutChecksum: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 100 }),
});

kernelTest(
  'PacketTranslator: agrees with the kernel on every packet, whatever was done to the bindings, also between IPv4 and IPv6',
  () => {
    const network = openTranslatorNetwork();
    const probe = new PacketProbe(network.cn, network.mn, [22, 32]);
    const kernel = openHomeTranslator(network);
    kernel.expectBothVersions();
    let translated = 0;
    let changed = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
        const twin = new PacketTranslator();
        const bindings = new BindingTable({ graceTimeMs: 3 });
        try {
          for (const [now, one] of steps.entries()) {
            const binding = bindingFor(one);
            const { port } = binding.mobileNode;
            const mobileNode = { address: addresses[one.accessFamily][one.access], port };
            const remote = remoteFor(binding, one);
            const operations = {
              install: () =>
                bindings.install({
                  ...binding,
                  mobileNode: { address: addresses[one.family][one.access], port },
                }),
              accept: () => bindings.accept(binding.id, mobileNode.address, remote),
              move: () => bindings.move(binding.id, mobileNode, now, remote),
              release: () => bindings.release(binding.id),
              timeout: () => bindings.handleTimeout(now),
              none: () => undefined,
            }[one.action]()?.operations;
            kernel.apply(operations ?? []);
            twin.apply(operations ?? []);
            const packet = packetFor(binding, one);
            const expected = twin.translate(packet)?.octets;
            const changesVersion = expected !== undefined && versionOf(expected) !== one.family;
            translated += expected ? 1 : 0;
            changed += changesVersion ? 1 : 0;
            const seen = probe.pass(packet, expected ? 1 : 0);
            assert.deepEqual(seen.map(hasRightChecksums), expected ? [true] : []);
            const stable = (octets: Uint8Array) => withoutVolatileFields(octets, changesVersion);
            assert.deepEqual(seen.map(stable), expected ? [stable(expected)] : []);
          }
        } finally {
          for (const one of steps) kernel.apply(bindings.release(bindingFor(one).id)?.operations ?? []);
        }
      }),
      { seed: 1, numRuns: 25 },
    );
    assert.ok(changed > 20 && translated - changed > 20, `${changed} of ${translated} changed their version`);
    network.home.run(() => kernel.close());
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

/** The binding's y:b, or one of the other version of IP. */
function remoteFor({ towardsMobileNode, id }: Binding, { family, accessFamily, number }: Step) {
  if (accessFamily === family) return towardsMobileNode;
  const port = 31_000 + number + (id.includes('correspondent') ? 10 : 0);
  return { address: addresses[accessFamily].towardsMobileNode, port };
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

function versionOf(octets: Uint8Array): number {
  return (octets[0] ?? 0) >> 4;
}

/**
 * Forwarding counts the hop limit down, and 0 and 0xffff are the same sum; checksums are checked by themselves. A packet that was IPv6 is given any
 * identification (RFC 7915 §5.1).
 */
function withoutVolatileFields(octets: Uint8Array, changesVersion: boolean): number[] {
  const copy = [...octets];
  const isIpv4 = versionOf(octets) === 4;
  if (isIpv4 && changesVersion) copy.fill(0, 4, 6);
  const transport = isIpv4 ? 20 : 40;
  const checksum = transport + (copy[isIpv4 ? 9 : 6] === 17 ? 6 : 16);
  for (const at of isIpv4 ? [8, 10, 11] : [7]) copy[at] = 0;
  const hasNone = copy[checksum] === 0 && copy[checksum + 1] === 0;
  copy[checksum] = hasNone ? 0 : 1;
  copy[checksum + 1] = 0;
  return copy;
}
