/** Which flows passed a place, how much of each and when: what the capture program and the virtual lab's capture both keep. */
import type { Instant } from '../../base/instant.ts';
import type { CapturedFlow } from '../media/media-protocol.ts';
import { ThroughputSeries } from '../media/throughput-series.ts';
import type { Flow } from './flow-of-frame.ts';

interface Entry {
  readonly flow: Flow;
  readonly interface: string;
  readonly firstAt: Instant;
  readonly series: ThroughputSeries;
  lastAt: Instant;
  packets: number;
  octets: number;
}

/** A port scan may make any number of flows. */
const maximumFlows = 4096;

export class FlowTable {
  readonly #entries = new Map<string, Entry>();

  count(flow: Flow, link: string, octets: number, now: Instant): void {
    const key = `${link} ${flow.protocol} ${flow.source} ${flow.destination}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size === maximumFlows) return;
      const series = new ThroughputSeries(now);
      entry = { flow, interface: link, firstAt: now, lastAt: now, packets: 0, octets: 0, series };
      this.#entries.set(key, entry);
    }
    entry.lastAt = now;
    entry.packets += 1;
    entry.octets += octets;
    entry.series.add(octets, now);
  }

  report(): CapturedFlow[] {
    return [...this.#entries.values()].map(({ flow, series, ...counts }) => ({
      ...flow,
      ...counts,
      series: series.report(),
    }));
  }
}
