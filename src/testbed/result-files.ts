/** The files of a run: its result, the data of TRIM fig. 8 and 9 and of MIP–SIP Table 1, the ladder of its messages and their trace. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import { formatLadder } from '../observation/message-ladder.ts';
import type { LabMeasurements } from './assess-run.ts';
import { formatOverheads, payloadOverheads } from './capture/payload-overhead.ts';
import { readPcapng } from './capture/read-pcapng.ts';
import type { MeasuredFlow } from './flow-results.ts';
import { accessPlaces, type NumberedAccess } from './lab-addresses.ts';
import { labLadder } from './lab-ladder.ts';
import type { LabResult } from './lab-result.ts';
import type { Series } from './media/media-protocol.ts';
import { throughputCsv } from './throughput-csv.ts';

/** Writes them into the folder and names them in the result. Throws what the file system throws. */
export function writeResultFiles(
  folder: string,
  result: LabResult,
  measured: LabMeasurements,
  { accesses, isCaptured }: { readonly accesses: readonly NumberedAccess[]; readonly isCaptured: boolean },
): LabResult {
  mkdirSync(folder, { recursive: true });
  const contents: Record<string, readonly [string, string | undefined]> = {
    figure8: ['figure-8.csv', figure8(measured, accesses)],
    figure9: ['figure-9.csv', figure9(measured)],
    ladder: ['ladder.txt', `${ladder(measured).join('\n')}\n`],
    table1: ['table-1.csv', isCaptured ? table1(folder) : undefined],
    trace: ['trace.ndjson', measured.trace.map((entry) => `${JSON.stringify(entry)}\n`).join('')],
  };
  const files: Record<string, string> = { result: join(folder, 'result.json') };
  for (const [purpose, [name, content]] of Object.entries(contents)) {
    if (content === undefined) continue;
    files[purpose] = join(folder, name);
    writeFileSync(join(folder, name), content);
  }
  const complete = { ...result, files };
  writeFileSync(join(folder, 'result.json'), `${JSON.stringify(complete, undefined, 2)}\n`);
  return complete;
}

/** MIP-SIP Table 1: from the frames on the mobile node's accesses, where they were captured. */
function table1(folder: string): string | undefined {
  const file = join(folder, 'mn.pcapng');
  if (!existsSync(file)) return undefined;
  const rows = payloadOverheads(readPcapng(readFileSync(file)).map(({ frame }) => frame));
  return rows.length === 0 ? undefined : formatOverheads(rows);
}

/** TRIM fig. 8: what came in over each access for the RTP programs of the mobile node. */
function figure8(
  { flows, captures, trafficBeganAt }: LabMeasurements,
  accesses: readonly NumberedAccess[],
): string | undefined {
  const ports = flows.filter(({ plan }) => plan.media === 'rtp').map(({ plan }) => plan.port);
  if (ports.length === 0) return undefined;
  const columns = accessPlaces(accesses).map(({ name, address }) => {
    const ends = ports.map((port) => formatTransportAddress({ address, port }));
    const incoming = captures.mobile.filter(
      ({ protocol, destination }) => protocol === 'udp' && ends.includes(destination),
    );
    return { name, series: incoming.map(({ series }) => series) };
  });
  return throughputCsv(columns, trafficBeganAt);
}

/** TRIM fig. 9: sequence number (octets received so far) and throughput of the transfer. */
function figure9({ flows, trafficBeganAt }: LabMeasurements): string | undefined {
  const series = flows.map(receivedSeries).find((found) => found !== undefined);
  if (series === undefined) return undefined;
  const rows = ['seconds,sequence octets,kbit/s'];
  let sequence = 0;
  series.octets.forEach((octets, index) => {
    sequence += octets;
    const seconds = (series.startsAt + index * series.intervalMs - trafficBeganAt) / 1000;
    rows.push(`${seconds.toFixed(3)},${sequence},${((octets * 8) / series.intervalMs).toFixed(1)}`);
  });
  return `${rows.join('\n')}\n`;
}

function receivedSeries({ plan, reports }: MeasuredFlow): Series | undefined {
  if (reports.media !== 'bulk') return undefined;
  return (plan.flow.direction === 'to-mobile-node' ? reports.mobile : reports.correspondent).series;
}

/** Each handover's messages; what comes before and after is in the trace. */
function ladder({ trace, handovers, trafficBeganAt }: LabMeasurements): string[] {
  return handovers.flatMap(({ atMs, from, to, kind, totalMs }) => {
    const endedAt = trafficBeganAt + atMs;
    const messages = trace.filter(({ at }) => at >= endedAt - totalMs && at <= endedAt + afterwardsMs);
    const { entries, options } = labLadder(messages as TraceEntry[]);
    return [
      `${(atMs / 1000).toFixed(1)} s: ${from ?? 'nothing'} to ${to} (${kind})`,
      ...formatLadder(entries, options),
      '',
    ];
  });
}

/** The last ACK and the removal of the old contact come after the handover is complete. */
const afterwardsMs = 500;
