/** What a capture of the lab holds (pcapng, written by testbed/capture), read back: the UDP and TCP flows, and RTP streams in them. */
import { readFileSync } from 'node:fs';
import { isMalformed } from '../../src/base/malformed.ts';
import { decodeRtpPacket } from '../../src/protocols/rtp/rtp-header.ts';
import { type Flow, flowOfFrame } from '../../src/testbed/capture/flow-of-frame.ts';
import { readPcapng } from '../../src/testbed/capture/read-pcapng.ts';

export interface CapturedFrame {
  /** Comparable with Date.now(). */
  readonly epochMs: number;
  readonly flow: Flow;
  /** Of UDP: behind the UDP header. */
  readonly payload: Uint8Array;
}

export interface RtpStream {
  readonly ssrc: number;
  readonly source: string;
  readonly destination: string;
  /** Sequence numbers in the order of arrival, without the wrap at 2^16. */
  readonly sequenceNumbers: readonly number[];
}

const ethernetOctets = 14;
const udpHeaderOctets = 8;

export function readFrames(file: string): CapturedFrame[] {
  return readPcapng(readFileSync(file)).flatMap(({ epochMs, frame }) => {
    const flow = flowOfFrame(frame);
    const headerOctets = 4 * ((frame[ethernetOctets] ?? 0) & 15);
    const payload = frame.subarray(ethernetOctets + headerOctets + udpHeaderOctets);
    return flow === undefined ? [] : [{ epochMs, flow, payload }];
  });
}

/** UDP packets to an even port in the range of media ports, one stream per SSRC and what `nameOf` makes of its two ends. */
export function rtpStreams(
  frames: readonly CapturedFrame[],
  nameOf: (end: string) => string = (end) => end,
): RtpStream[] {
  const streams = new Map<string, { ssrc: number; sequenceNumbers: number[] } & Omit<Flow, 'protocol'>>();
  for (const { flow, payload } of frames) {
    if (flow.protocol !== 'udp' || !isRtpPort(flow.source) || !isRtpPort(flow.destination)) continue;
    const packet = decodeRtpPacket(payload);
    if (isMalformed(packet)) continue;
    const { ssrc, sequenceNumber } = packet.header;
    const [source, destination] = [nameOf(flow.source), nameOf(flow.destination)];
    const key = `${ssrc} ${source} ${destination}`;
    const stream = streams.get(key) ?? { ssrc, source, destination, sequenceNumbers: [] };
    streams.set(key, stream);
    const last = stream.sequenceNumbers.at(-1) ?? sequenceNumber;
    // The number nearest to the last one that is the same modulo 2^16.
    stream.sequenceNumbers.push(last + (((sequenceNumber - last + 0x8000) & 0xffff) - 0x8000));
  }
  return [...streams.values()];
}

/** The flows of one protocol, each direction by itself, in the order of their first frames. */
export function flowsOf(frames: readonly CapturedFrame[], protocol: Flow['protocol']): Flow[] {
  const flows = new Map(
    frames.map(({ flow }) => [`${flow.protocol} ${flow.source} ${flow.destination}`, flow] as const),
  );
  return [...flows.values()].filter((flow) => flow.protocol === protocol);
}

function isRtpPort(end: string): boolean {
  const port = Number(end.split(':').at(-1));
  return port >= 16_384 && port % 2 === 0;
}
