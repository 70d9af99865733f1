/**
 * Records what passes a node's interfaces, in both directions: which flows there were (the proof that a correspondent node saw one
 * address and port per stream) and, if asked, every frame as pcapng. Frames are read in batches from packet sockets.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { MessageBatch } from '../../drivers/linux/message-batch.ts';
import { offloadHeaderOctets, openPacketSocket } from '../../drivers/linux/packet-socket.ts';
import { allocateMemory, type NativeMemory, watchReadable } from '../../drivers/linux/system-calls.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';
import type { CaptureReport, MediaSettings } from '../media/media-protocol.ts';
import { flowOfFrame } from './flow-of-frame.ts';
import { FlowTable } from './flow-table.ts';
import { pcapngHeader, pcapngPacket } from './pcapng.ts';

const batchSize = 64;
const frameOctets = 65_536 + 64;
/** Enough for a lab run's signalling and voice; a bulk transfer's tail is left out and counted. */
const maximumFileOctets = 200_000_000;

export class CaptureProgram {
  readonly #flows = new FlowTable();
  readonly #batch = new MessageBatch(batchSize);
  readonly #memory: NativeMemory = allocateMemory(batchSize * frameOctets);
  readonly #interfaces: readonly string[];
  readonly #file: number | undefined;
  readonly #epochOffsetMs = Date.now() - monotonicNow();
  #fileOctets = 0;
  #missed = 0;

  /** In the network namespace of the process. Needs CAP_NET_RAW there. */
  constructor({ interfaces, file }: MediaSettings['capture']) {
    this.#interfaces = interfaces;
    this.#file = file === undefined ? undefined : openSync(file, 'w');
    this.#write(pcapngHeader(interfaces));
    for (let index = 0; index < batchSize; index++)
      this.#batch.place(index, this.#memory.address + BigInt(index * frameOctets), frameOctets);
    interfaces.forEach((name, index) => {
      const fd = openPacketSocket(name, { outgoing: true });
      watchReadable(fd, () => this.#read(fd, index));
    });
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  report(): CaptureReport {
    return { flows: this.#flows.report(), missed: this.#missed };
  }

  #read(fd: number, interfaceIndex: number): void {
    const received = this.#batch.receive(fd, batchSize);
    const now = monotonicNow();
    for (let index = 0; index < received; index++) {
      const start = index * frameOctets + offloadHeaderOctets;
      const frame = this.#memory.octets.subarray(start, index * frameOctets + this.#batch.lengthOf(index));
      const flow = flowOfFrame(frame);
      if (flow !== undefined)
        this.#flows.count(flow, this.#interfaces[interfaceIndex] ?? '', frame.length, now);
      this.#write(pcapngPacket(interfaceIndex, this.#epochOffsetMs + now, frame, frame.length));
    }
  }

  #write(octets: Uint8Array): void {
    if (this.#file === undefined) return;
    if (this.#fileOctets + octets.length > maximumFileOctets) {
      this.#missed += 1;
      return;
    }
    this.#fileOctets += octets.length;
    writeSync(this.#file, octets);
  }
}
