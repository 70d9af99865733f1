/**
 * Records what passes a node's interfaces, in both directions: which flows there were (the proof that a correspondent node saw one
 * address and port per stream) and, if asked, every frame as pcapng. Frames are read in batches from packet sockets.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Instant } from '../../base/instant.ts';
import { MessageBatch } from '../../drivers/linux/message-batch.ts';
import { offloadHeaderOctets, openPacketSocket } from '../../drivers/linux/packet-socket.ts';
import { allocateMemory, type NativeMemory, watchReadable } from '../../drivers/linux/system-calls.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';
import type { CapturedFlow, CaptureReport, MediaSettings } from '../media/media-protocol.ts';
import { ThroughputSeries } from '../media/throughput-series.ts';
import { type Flow, flowOfFrame } from './flow-of-frame.ts';
import { pcapngHeader, pcapngPacket } from './pcapng.ts';

interface Record {
  readonly flow: Flow;
  readonly interface: string;
  readonly firstAt: Instant;
  readonly series: ThroughputSeries;
  lastAt: Instant;
  packets: number;
  octets: number;
}

const batchSize = 64;
const frameOctets = 65_536 + 64;
/** A port scan may make any number of flows. */
const maximumFlows = 4096;
/** Enough for a lab run's signalling and voice; a bulk transfer's tail is left out and counted. */
const maximumFileOctets = 200_000_000;

export class CaptureProgram {
  readonly #records = new Map<string, Record>();
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
    const flows = [...this.#records.values()].map(
      ({ flow, series, ...counts }): CapturedFlow => ({ ...flow, ...counts, series: series.report() }),
    );
    return { flows, missed: this.#missed };
  }

  #read(fd: number, interfaceIndex: number): void {
    const received = this.#batch.receive(fd, batchSize);
    const now = monotonicNow();
    for (let index = 0; index < received; index++) {
      const start = index * frameOctets + offloadHeaderOctets;
      const frame = this.#memory.octets.subarray(start, index * frameOctets + this.#batch.lengthOf(index));
      this.#count(frame, interfaceIndex, now);
      this.#write(pcapngPacket(interfaceIndex, this.#epochOffsetMs + now, frame, frame.length));
    }
  }

  #count(frame: Uint8Array, interfaceIndex: number, now: Instant): void {
    const flow = flowOfFrame(frame);
    if (flow === undefined) return;
    const name = this.#interfaces[interfaceIndex] ?? '';
    const key = `${name} ${flow.protocol} ${flow.source} ${flow.destination}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      if (this.#records.size === maximumFlows) return;
      const series = new ThroughputSeries(now);
      record = { flow, interface: name, firstAt: now, lastAt: now, packets: 0, octets: 0, series };
      this.#records.set(key, record);
    }
    record.lastAt = now;
    record.packets += 1;
    record.octets += frame.length;
    record.series.add(frame.length, now);
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
