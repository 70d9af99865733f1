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
    accesses.map(({ name, family, startsUp }) => [name, family, startsUp]),
    [
      ['3g', 4, true],
      ['wlan', 4, true],
    ],
  );
  assert.equal(flows[0]?.direction, 'both');
});

test('loadScenario: a load grows along a ramp, falls back where a saw-tooth begins anew, and is told once', () => {
  const text = minimal.replace(
    '{ at: 1s, down: wlan }',
    '{ at: 1s, load: wlan, becomes: { delay: 41ms, rate: 5Mbit/s }, over: 400ms, repeat: 2, every: 1s }',
  );
  const changes = loadFrom(text).timeline.flatMap(({ atMs, action }) =>
    action.kind === 'change' ? [{ atMs, ...action }] : [],
  );
  assert.deepEqual(
    changes.map(({ atMs }) => atMs),
    [1000, 1100, 1200, 1300, 2000, 2100, 2200, 2300],
  );
  const values = changes
    .slice(0, 5)
    .map(({ profile: { uplink } }) => [uplink.delayMs, uplink.rateBitsPerSecond]);
  assert.deepEqual(values, [
    [11, 20e6],
    [21, 15e6],
    [31, 10e6],
    [41, 5e6],
    [11, 20e6],
  ]);
  assert.deepEqual(
    changes.flatMap(({ note }) => note ?? []),
    ['comes under load', 'comes under load'],
  );
});

test('loadScenario: a dead end is a link that is up and loses everything', () => {
  const { timeline } = loadFrom(minimal.replace('down: wlan', 'dead-end: wlan'));
  const { action } = timeline[0] ?? assert.fail();
  assert.ok(action.kind === 'change');
  const nothing = { kind: 'independent', probability: 1 };
  assert.deepEqual([action.profile.uplink.loss, action.profile.downlink.loss], [nothing, nothing]);
});

test('loadScenario: mip-sip has accesses of any name, RTP by SIP and TCP by Mobile IP', () => {
  const { accesses, flows, policy } = loadFrom(`
name: mine
title: Mine
architecture: mip-sip
duration: 10s
accesses:
  umts: { profile: hsdpa, cost: 7 }
  wimax: { profile: wimax, nat: true, strict-source: true, starts: down }
  cdma: { profile: cdma2000-450 }
policy: { hysteresis: 0.3, weights: { power: 0.1, cost: 0.1, load: 0.8 } }
flows:
  - { name: voice, kind: rtp-audio }
  - { name: far, kind: rtp-audio, by: mobile-ip }
  - { name: files, kind: tcp-unlimited }
timeline: []
expect: { handovers: { least: 0, most: 2 } }
`);
  const [umts, wimax] = accesses;
  assert.deepEqual([umts?.profile.cost, umts?.profile.power, umts?.nat], [7, 2, false]);
  assert.deepEqual([wimax?.nat, wimax?.strictSource, wimax?.startsUp], [true, true, false]);
  assert.deepEqual(
    flows.map(({ carrier }) => carrier),
    ['sip', 'mobile-ip', 'mobile-ip'],
  );
  assert.ok(policy.kind === 'utility');
  assert.deepEqual([policy.options.hysteresis, policy.options.loadWeight], [0.3, 0.8]);
});

test('loadScenario: the core is one maker for all, or one for each', () => {
  const all = (maker: string) => ({ 'p-cscf': maker, 'i-cscf': maker, 's-cscf': maker });
  const coreOf = (ims: string) => loadFrom(`${minimal}ims: ${ims}\n`).core;
  assert.deepEqual(loadFrom(minimal).core, all('trimaran'));
  assert.deepEqual(coreOf('{ core: kamailio }'), all('kamailio'));
  assert.deepEqual(coreOf('{ core: { s-cscf: kamailio } }'), { ...all('trimaran'), 's-cscf': 'kamailio' });
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
    [minimal.replace('down: wlan', 'down: wimax'), /timeline\[1\]: there is no access "wimax"/],
    [minimal.replace('down: wlan', 'load: wlan'), /load says which access, becomes what it is/],
    [minimal.replace('rtp-audio', 'rtp-audio, by: sip'), /flows\[0\]\.by: only in the architecture mip-sip/],
    [minimal.replace('timeline:', 'policy: {}\ntimeline:'), /policy: needs the measurements of Mobile IP/],
    [minimal.replace('umts,', 'umts, cost: 0,'), /accesses\.3g\.cost/],
    [ofIpv6(', nat: true'), /accesses\.wlan\.nat: the router of the lab does that for IPv4 alone/],
    [
      ofIpv6('').replace('title', 'architecture: mip-sip\ntitle'),
      /accesses\.wlan\.ip: Mobile IP here is of IPv4/,
    ],
    [`${ofIpv6('')}ims: { core: kamailio }`, /accesses\.wlan\.ip: Kamailio's P-CSCF/],
    [ofIpv6('').replace('ip: 6', 'ip: 5'), /accesses\.wlan\.ip/],
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

function ofIpv6(more: string): string {
  return minimal.replace('wlan: { profile: wlan }', `wlan: { profile: wlan, ip: 6${more} }`);
}

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
