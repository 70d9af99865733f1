/**
 * The curves of TRIM fig. 8 (traffic received per interface) and fig. 9 (throughput of the TCP flow) as a table that any plotting
 * program reads: one row per interval, one column of kbit/s per series.
 */
import type { Instant } from '../base/instant.ts';
import type { Series } from './media/media-protocol.ts';

export interface Column {
  readonly name: string;
  /** Added up; their intervals must be equally long and start at multiples of their length. */
  readonly series: readonly Series[];
}

/** `originAt` is second 0: the start of the run, say. Rows reach from the first to the last interval of any series. */
export function throughputCsv(columns: readonly Column[], originAt: Instant): string {
  const all = columns.flatMap(({ series }) => series);
  const intervalMs = all[0]?.intervalMs ?? 100;
  const first = Math.min(...all.map(({ startsAt }) => startsAt));
  const end = Math.max(...all.map(({ startsAt, octets }) => startsAt + octets.length * intervalMs));
  const rows = [['seconds', ...columns.map(({ name }) => `${name} kbit/s`)].join(',')];
  for (let at = first; at < end; at += intervalMs) {
    const values = columns.map(({ series }) => (octetsAt(series, at) * 8) / intervalMs);
    rows.push([((at - originAt) / 1000).toFixed(3), ...values.map((value) => value.toFixed(1))].join(','));
  }
  return `${rows.join('\n')}\n`;
}

function octetsAt(series: readonly Series[], at: Instant): number {
  return series.reduce(
    (sum, { startsAt, intervalMs, octets }) => sum + (octets[Math.round((at - startsAt) / intervalMs)] ?? 0),
    0,
  );
}
