/**
 * TRIM fig. 5 in virtual time: the addresses and ports of the media on every leg, in both directions, before and after a handover. The
 * translators are the virtual twins of the kernel's (sim/virtual-translator.ts).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrimCall } from './trim-call.ts';

for (const originator of ['mobile node', 'correspondent'] as const)
  test(`TRIM fig. 5: the media of a call that the ${originator} made, on each leg before and after the handover`, () => {
    const call = new TrimCall({ originator });
    call.establish();
    const before = call.captureMedia();
    call.run(1000);
    assert.deepEqual(
      new Set(before.map(({ path }) => path)),
      new Set(['m1 > y:b', 'x:a > c', 'c > x:a', 'y:b > m1']),
    );
    call.handOver('wlan');
    call.run(1000);
    const after = call.captureMedia();
    call.run(1000);
    assert.deepEqual(
      new Set(after.map(({ path }) => path)),
      new Set(['m2 > y:b', 'x:a > c', 'c > x:a', 'y:b > m2']),
    );
    assert.deepEqual(call.phoneAudio.remotes, ['198.51.100.2:20000'], 'the phone sees y:b alone');
    assert.deepEqual(
      call.correspondentAudio.remotes,
      ['198.51.100.1:20000'],
      'the correspondent sees x:a alone',
    );
  });
