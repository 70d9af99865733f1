import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThroughputSeries } from './media/throughput-series.ts';
import { throughputCsv } from './throughput-csv.ts';

test('throughputCsv: lays series of different starts over one another and adds those of one column', () => {
  const early = seriesOf([1010, 1000], [1090, 500], [1250, 125]);
  const late = seriesOf([1199, 250]);
  const csv = throughputCsv(
    [
      { name: '3g', series: [early, late] },
      { name: 'wlan', series: [late] },
    ],
    1100,
  );
  assert.deepEqual(csv.split('\n'), [
    'seconds,3g kbit/s,wlan kbit/s',
    '-0.100,120.0,0.0',
    '0.000,20.0,20.0',
    '0.100,10.0,0.0',
    '',
  ]);
});

test('ThroughputSeries: counts packets and octets per tenth of a second, empty ones too', () => {
  assert.deepEqual(seriesOf([1010, 7], [1310, 1]), {
    startsAt: 1000,
    intervalMs: 100,
    packets: [1, 0, 0, 1],
    octets: [7, 0, 0, 1],
  });
});

function seriesOf(...arrivals: readonly (readonly [at: number, octets: number])[]) {
  const series = new ThroughputSeries(arrivals[0]?.[0] ?? 0);
  for (const [at, octets] of arrivals) series.add(octets, at);
  return series.report();
}
