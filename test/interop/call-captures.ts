/** A call between the lab's two telephones as the wires saw it: recorded at the correspondent, on both accesses, and between the mobile node's programs. */
import assert from 'node:assert/strict';
import { accessPlaces, labAddresses } from '../../src/testbed/lab-addresses.ts';
import type { CapturedFrame, RtpStream } from './captured-frames.ts';
import type { InteropLab } from './interop-lab.ts';

export interface CallCaptures {
  readonly atCorrespondent: CapturedFrame[];
  readonly atAccesses: CapturedFrame[];
  readonly atApplications: CapturedFrame[];
}

export async function startCaptures(lab: InteropLab): Promise<{ finish(): Promise<CallCaptures> }> {
  const endings = await Promise.all([
    lab.capture('cn', ['eth0']),
    lab.capture('mn', ['3g0', 'wlan0']),
    lab.capture('mn', ['lo']),
  ]);
  const finish = async () => {
    const [atCorrespondent = [], atAccesses = [], atApplications = []] = await Promise.all(
      endings.map((end) => end()),
    );
    return { atCorrespondent, atAccesses, atApplications };
  };
  return { finish };
}

export function sipFrames(frames: readonly CapturedFrame[]): CapturedFrame[] {
  return frames.filter(({ flow, payload }) =>
    flow.protocol === 'udp'
      ? Buffer.from(payload).includes('SIP/2.0')
      : /:50(60|62|70)$/.test(flow.source) || /:50(60|62|70)$/.test(flow.destination),
  );
}

export function isCorrespondent(end: string): boolean {
  return end.startsWith(`${labAddresses.correspondentNode}:`);
}

export function isAccess(end: string): boolean {
  return accessPlaces().some(({ address }) => end.startsWith(`${address}:`));
}

/** One SSRC in each direction, with every sequence number from the first to the last exactly once. */
export function assertUninterrupted(streams: readonly RtpStream[], minimumPackets: number): void {
  assert.equal(streams.length, 2, JSON.stringify(streams.map(({ sequenceNumbers: _, ...stream }) => stream)));
  assert.equal(streams[0]?.source, streams[1]?.destination);
  assert.equal(streams[1]?.source, streams[0]?.destination);
  for (const { source, sequenceNumbers } of streams) {
    const sorted = [...sequenceNumbers].sort((a, b) => a - b);
    const first = sorted[0] ?? 0;
    assert.deepEqual(
      sorted,
      sorted.map((_, index) => first + index),
      `sequence numbers from ${source}`,
    );
    assert.ok(sorted.length > minimumPackets, `${sorted.length} packets from ${source}`);
  }
}

/** RTP and RTCP each have one end on the other side, in both directions, from beginning to end. */
export function assertOneRemote(frames: readonly CapturedFrame[], isOwn: (end: string) => boolean): void {
  const remotes = new Set<string>();
  for (const { flow } of frames) {
    const [own, remote] = isOwn(flow.source)
      ? [flow.source, flow.destination]
      : [flow.destination, flow.source];
    const port = Number(own.split(':')[1]);
    if (flow.protocol === 'udp' && port >= 40_000 && port < 50_000)
      remotes.add(`${port % 2 === 0 ? 'RTP' : 'RTCP'} ${remote}`);
  }
  const kinds = [...remotes].map((remote) => remote.split(' ')[0]).sort();
  assert.deepEqual(kinds, ['RTCP', 'RTP'], [...remotes].join());
}
