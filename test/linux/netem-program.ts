/**
 * What netem does to packets, for netem.test.ts: runs on a kernel that has it (perhaps inside User-mode Linux), as root of namespaces of its
 * own, and writes what it measured as JSON into the file that is its argument.
 */
import { createSocket, type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { type AccessProfile, accessProfiles } from '../../src/access-network/access-profiles.ts';
import { type LinkCharacteristics, perfectLink } from '../../src/access-network/link-characteristics.ts';
import { hasNetem } from '../../src/drivers/linux/netem-link.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';

/** From one end of the link to the other; instants count from the first packet sent. */
export interface NetemRun {
  readonly arrivals: readonly { readonly packet: number; readonly atMs: number }[];
  /** Of the direction, by the kernel. */
  readonly delivered: number;
  readonly deliveredOctets: number;
  readonly dropped: number;
}

export interface NetemReport {
  readonly release: string;
  readonly hasNetem: boolean;
  readonly delayed: NetemRun;
  /** The delay changed in place from 40 ms to 10 ms. */
  readonly changed: NetemRun;
  readonly slow: NetemRun;
  readonly full: NetemRun;
  readonly jittery: NetemRun;
  readonly lossy: NetemRun;
  /** Went down and came up again. */
  readonly again: NetemRun;
}

/** Octets of IP packet. */
const packetOctets = 1000;
const release = (await import('node:os')).release();
const line = { ...perfectLink, rateBitsPerSecond: 8_000_000 };
const file = process.argv[2] ?? '';

const report: Partial<NetemReport> = !hasNetem()
  ? { release, hasNetem: false }
  : {
      release,
      hasNetem: true,
      delayed: await measure({ ...perfectLink, delayMs: 40 }, 5),
      changed: await measure({ ...perfectLink, delayMs: 40 }, 5, (topology) =>
        topology.link('radio').change(profileOf({ ...perfectLink, delayMs: 10 })),
      ),
      slow: await measure({ ...line, delayMs: 5 }, 100),
      full: await measure({ ...line, rateBitsPerSecond: 80_000, queueLimitOctets: 15_000 }, 30),
      jittery: await measure({ ...line, delayMs: 20, jitterMs: 10 }, 100, undefined, 3),
      lossy: await measure({ ...line, loss: { kind: 'independent', probability: 0.2 } }, 1000, undefined, 1),
      again: await measure(line, 5, async (topology) => {
        topology.link('radio').setUp(false);
        await sleep(50);
        topology.link('radio').setUp(true);
        await sleep(1500);
      }),
    };
writeFileSync(file, JSON.stringify(report));
process.exit(0);

/** Sends packets, all at once or some milliseconds apart, after `prepare`; ends when for half a second none has come. */
async function measure(
  characteristics: LinkCharacteristics,
  packets: number,
  prepare: (topology: KernelTopology) => void | Promise<void> = () => {},
  spacingMs = 0,
): Promise<NetemRun> {
  const topology = twoNodes(profileOf(characteristics));
  const [from, to] = [openSocket(topology, 'a', '10.1.0.2'), openSocket(topology, 'b', '10.1.0.1')];
  await prepare(topology);
  const arrivals: { packet: number; atMs: number }[] = [];
  const startedAt = performance.now();
  let lastAt = startedAt;
  to.on('message', (payload) => {
    lastAt = performance.now();
    arrivals.push({ packet: payload.readUInt16BE(0), atMs: lastAt - startedAt });
  });
  for (let packet = 0; packet < packets; packet++) {
    const payload = Buffer.alloc(packetOctets - 28);
    payload.writeUInt16BE(packet);
    from.send(payload, to.address().port, '10.1.0.1');
    if (spacingMs > 0) await sleep(spacingMs);
  }
  while (arrivals.length < packets && performance.now() - lastAt < 500) await sleep(5);
  const { delivered, deliveredOctets, lost } = topology.link('radio').counters().uplink;
  for (const socket of [from, to]) socket.close();
  await topology.close();
  return { arrivals, delivered, deliveredOctets, dropped: lost };
}

function twoNodes(profile: AccessProfile): KernelTopology {
  const ends = [
    { node: 'a', interface: 'wlan0', addresses: ['10.1.0.2/24'] },
    { node: 'b', interface: 'radio', addresses: ['10.1.0.1/24'] },
  ] as const;
  return new KernelTopology(
    { nodes: [{ name: 'a' }, { name: 'b' }], links: [{ name: 'radio', profile, ends }] },
    { seed: 1, shaperOf: () => 'netem' },
  );
}

function profileOf(both: LinkCharacteristics): AccessProfile {
  return { ...accessProfiles.wire, uplink: both, downlink: both };
}

/** The look-up answers within the call, so that Node binds in that node's namespace. */
function openSocket(topology: KernelTopology, node: string, address: string): Socket {
  const socket = createSocket({
    type: 'udp4',
    lookup: (name, _options, callback) => callback(null, name, 4),
    recvBufferSize: 1_000_000,
  });
  topology.namespaceOf(node).run(() => socket.bind({ address, port: 0 }));
  return socket;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
