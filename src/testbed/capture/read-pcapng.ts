/** Reads back the frames of a file that pcapng.ts wrote: one section, enhanced packet blocks, instants in nanoseconds. */

export interface RecordedFrame {
  /** Comparable with Date.now(). */
  readonly epochMs: number;
  readonly frame: Uint8Array;
}

const enhancedPacketBlock = 6;

export function readPcapng(octets: Buffer): RecordedFrame[] {
  const frames: RecordedFrame[] = [];
  for (let at = 0; at < octets.length; at += octets.readUInt32LE(at + 4)) {
    if (octets.readUInt32LE(at) !== enhancedPacketBlock) continue;
    const nanoseconds = (BigInt(octets.readUInt32LE(at + 12)) << 32n) + BigInt(octets.readUInt32LE(at + 16));
    frames.push({
      epochMs: Number(nanoseconds / 1000n) / 1000,
      frame: octets.subarray(at + 28, at + 28 + octets.readUInt32LE(at + 20)),
    });
  }
  return frames;
}
