import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TrimaranError } from '../base/trimaran-error.ts';
import { listScenarios, loadScenario } from './load-scenario.ts';

const minimal = `
name: mine
title: Mine
duration: 10s
accesses: { 3g: { profile: umts, downlink: { rate: 1Mbit/s, delay: 50ms } }, wlan: { profile: wlan } }
flows: [{ name: voice, kind: rtp-audio }]
timeline:
  - { at: 4s, handover: [wlan, 3g], repeat: 3, every: 500ms }
  - { at: 1s, down: wlan }
expect: { handovers: 3 }
`;

test('listScenarios: every scenario that comes along is valid and named as its file', () => {
  const all = listScenarios();
  assert.ok(all.length >= 8);
  for (const { name } of all) assert.equal(loadScenario(name).name, name);
});

test('loadScenario: the default scenario takes at most a minute with its set-up', () => {
  assert.ok(loadScenario('trim').durationMs <= 45_000);
});

test('loadScenario: repeated handovers are written out, and steps come in order of time', () => {
  const { timeline } = loadFrom(minimal);
  assert.deepEqual(
    timeline.map(({ atMs, action }) => `${atMs} ${action.kind} ${action.access}`),
    ['1000 down wlan', '4000 handover wlan', '4500 handover 3g', '5000 handover wlan'],
  );
});

test('loadScenario: a profile is changed only where the file says so', () => {
  const { accesses, flows } = loadFrom(minimal);
  const [{ profile } = assert.fail()] = accesses;
  assert.equal(profile.downlink.rateBitsPerSecond, 1e6);
  assert.equal(profile.downlink.delayMs, 50);
  assert.equal(profile.uplink.delayMs, 75);
  assert.deepEqual(
    accesses.map(({ name, startsUp }) => [name, startsUp]),
    [
      ['3g', true],
      ['wlan', true],
    ],
  );
  assert.equal(flows[0]?.direction, 'both');
});

test('loadScenario: what is wrong is told with line, column and what was meant', () => {
  const cases = [
    [
      minimal.replace('handover: [', 'handovr: ['),
      /:8:15: timeline\[0\]\.handovr: unknown key \(did you mean "handover"\?\)/,
    ],
    [minimal.replace('down: wlan', 'down: wlan, up: wlan'), /:9:5: timeline\[1\]: a step has exactly one of/],
    [minimal.replace('4s', '9s'), /:8:11: timeline\[0\]\.at: is after the end/],
    [minimal.replace('1Mbit/s', '1Mb'), /"1Mb" is not a rate, such as/],
    [minimal.replace('rtp-audio', 'rtp-adio'), /did you mean "rtp-audio"\?/],
    [minimal.replace('3, every: 500ms', '3'), /repeat and every go together/],
    [
      minimal.replace('rtp-audio', 'tcp-limited, direction: both'),
      /flows\[0\]\.direction: a transfer goes to one side/,
    ],
  ] as const;
  for (const [text, message] of cases)
    assert.throws(
      () => loadFrom(text),
      (error) => error instanceof TrimaranError && message.test(error.message),
      text,
    );
});

test('loadScenario: a mistyped name is told what was meant', () => {
  assert.throws(() => loadScenario('trim-fity'), {
    code: 'UNKNOWN_SCENARIO',
    message: /did you mean "trim-fifty"\?/,
  });
});

function loadFrom(text: string): ReturnType<typeof loadScenario> {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-scenario-'));
  const file = join(folder, 'mine.yaml');
  writeFileSync(file, text);
  try {
    return loadScenario(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
