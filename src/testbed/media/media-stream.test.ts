import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMediaStream, type MediaFrame } from './media-stream.ts';

test('createMediaStream: voice is 160 octets each 20 ms, 8000 timestamp units a second', () => {
  const stream = createMediaStream('voice', 1);
  assert.deepEqual(
    [stream.nextFrame(), stream.nextFrame()],
    [
      { payloadOctets: [160], timestamp: 0, intervalMs: 20 },
      { payloadOctets: [160], timestamp: 160, intervalMs: 20 },
    ],
  );
});

test('createMediaStream: video has 1.5 Mbit/s on average, varies, and fits its packets', () => {
  const stream = createMediaStream('video', 1);
  const frames = Array.from({ length: 3000 }, () => stream.nextFrame());
  const octets = frames.map(sizeOf);
  const seconds = frames.reduce((sum, { intervalMs }) => sum + intervalMs, 0) / 1000;
  const rate = (octets.reduce((sum, size) => sum + size, 0) * 8) / seconds;
  assert.ok(Math.abs(rate - 1_500_000) < 30_000, `${rate} bit/s`);
  assert.ok(new Set(octets).size > 1000);
  assert.ok(frames.every(({ payloadOctets }) => payloadOctets.every((size) => size > 8 && size <= 1200)));
});

test('createMediaStream: the same seed gives the same video, another one another', () => {
  const sizes = (seed: number): number[] => {
    const stream = createMediaStream('video', seed);
    return Array.from({ length: 50 }, () => sizeOf(stream.nextFrame()));
  };
  assert.deepEqual(sizes(7), sizes(7));
  assert.notDeepEqual(sizes(7), sizes(8));
});

function sizeOf({ payloadOctets }: MediaFrame): number {
  return payloadOctets.reduce((sum, size) => sum + size, 0);
}
