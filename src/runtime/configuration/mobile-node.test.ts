import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AccessSituation, HandoverOutcome } from '../../mobile-node/access-selection/access-selector.ts';
import { sipUri } from '../../protocols/sip/message/sip-uri.ts';
import { createSelector, flowClassesOf } from './access-policy.ts';
import { loadConfiguration } from './load-configuration.ts';
import { type MobileNodeConfiguration, mobileNodeSchema } from './mobile-node.ts';

const scores = 'power: 1, cost: 1, coverage: small';
const tunnel = `mobile-ip:
  home-address: 198.51.100.10
  home-agent: 198.51.100.1
  security-association: { spi: 256, key: 000102030405060708090a0b0c0d0e0f }
`;
const accesses = `accesses:
  - { name: wlan, interface: wlan0, ${scores} }
`;

test('mobileNodeSchema: Mobile IP alone needs no SIP, and has defaults for all but addresses and key', () => {
  const configuration = load(`${tunnel}${accesses}`);
  const { port, lifetime, encapsulation, ...rest } = configuration['mobile-ip']!;
  assert.deepEqual([port, lifetime, encapsulation], [434, 300_000, 'rfc3519']);
  assert.deepEqual([rest['probe-interval'], rest['missed-probes'], rest.device], [200, 3, 'trimaran']);
});

test('mobileNodeSchema: without Mobile IP, SIP is needed as ever', () => {
  assert.deepEqual(faults('accesses:\n  - { name: wlan, interface: wlan0 }\n'), [
    '1:1: identity: is missing',
    '2:5: accesses[0].proxy-cscf: is missing',
  ]);
});

test('mobileNodeSchema: a node that the home agent registers needs its address only, and a home agent', () => {
  const sip = 'registration: home-agent\nidentity: { public: "sip:bob@home.test" }\n';
  const proxied = accesses.replace('wlan0', 'wlan0, proxy-cscf: "203.0.113.5:5060"');
  assert.equal(load(`${sip}${tunnel}${proxied}`).registration, 'home-agent');
  assert.match(faults(`${sip}${proxied}`).join('\n'), /registration: home-agent: there is no home agent/);
  assert.match(
    faults(`identity: { public: "sip:bob@home.test" }\n${tunnel}${proxied}`).join('\n'),
    /identity: either password or aka is needed\n.*identity.private: is missing/,
  );
});

test('mobileNodeSchema: a P-CSCF is an address with a port, or a name', () => {
  const of = (text: string): string =>
    `${tunnel}registration: none\n${accesses.replace('wlan0', `wlan0, proxy-cscf: "${text}"`)}`;
  for (const [text, expected] of [
    ['203.0.113.5:5060', { address: '203.0.113.5', port: 5060 }],
    ['[2001:DB8::5]:5061', { address: '2001:db8::5', port: 5061 }],
    ['PCSCF.home1.example', sipUri({ host: 'pcscf.home1.example', port: undefined })],
    ['pcscf:5070', sipUri({ host: 'pcscf', port: 5070 })],
  ] as const)
    assert.deepEqual(load(of(text)).accesses[0]?.['proxy-cscf'], expected);
  for (const text of [
    '203.0.113.5',
    '203.0.113.256:5060',
    'pcscf..example',
    'pcscf:65536',
    'sip:pcscf.example',
    '-x',
  ])
    assert.match(
      faults(of(text))[0] ?? '',
      /proxy-cscf: ".*" is neither an address with a port, such as .*, nor a name/,
    );
});

test('mobileNodeSchema: power or cost 0 is refused, and the reason is said', () => {
  for (const key of ['power', 'cost']) {
    const [fault] = faults(`${tunnel}${accesses.replace(`${key}: 1`, `${key}: 0`)}`);
    assert.match(
      fault ?? '',
      new RegExp(`accesses\\[0\\].${key}: must be greater than 0, since its logarithm`),
    );
  }
});

test('mobileNodeSchema: weights that do not have the sum 1 are refused with their sum', () => {
  const policy = 'policy: { weights: { power: 0.2, cost: 0.3, load: 0.4 } }\n';
  assert.match(
    faults(`${tunnel}${policy}${accesses}`)[0] ?? '',
    /policy.weights: the weights must have the sum 1; 0.2 \+ 0.3 \+ 0.4 is 0.9$/,
  );
  const tenths = 'policy: { weights: { power: 0.1, cost: 0.2, load: 0.7 } }\n';
  assert.doesNotThrow(() => load(`${tunnel}${tenths}${accesses}`), 'the sum of tenths as binary fractions');
});

test('mobileNodeSchema: numbers without sense, and a policy without measurements or scores, are refused', () => {
  const cases = [
    ['policy: { history-window: 0.5 }', /history-window: h must be at least 1/],
    ['policy: { jitter-weight: 0 }', /jitter-weight: c must be greater than 0/],
    ['policy: { hysteresis: -1 }', /hysteresis: must not be negative/],
    ['policy: { weights: { power: 0, cost: 0.5, load: 0.5 } }', /weights.power: must be greater than 0/],
    ['policy: { classes: [{ name: a, home-ports: [2, 1] }] }', /the first port is greater than the last/],
    ['policy: { options: { x: 1 } }', /options: has a meaning only for a module/],
  ] as const;
  for (const [policy, expected] of cases)
    assert.match(faults(`${tunnel}${policy}\n${accesses}`).join('\n'), expected);
  const unscored = 'accesses:\n  - { name: wlan, interface: wlan0, power: 1, coverage: small }\n';
  assert.match(faults(`${tunnel}policy: {}\n${unscored}`).join('\n'), /accesses\[0\].cost: is missing/);
  const proxied = 'accesses:\n  - { name: wlan, interface: wlan0, proxy-cscf: "203.0.113.5:5060" }\n';
  assert.match(
    faults(`registration: none\npolicy: {}\n${proxied}`)[0] ?? '',
    /policy: needs a block "mobile-ip"/,
  );
});

test('mobileNodeSchema: a correspondent is a peer, each once', () => {
  const association = '{ spi: 512, key: 00112233445566778899aabbccddeeff }';
  const correspondents = (...addresses: readonly string[]): string =>
    tunnel.replace(
      'mobile-ip:\n',
      `mobile-ip:\n  correspondents:\n${addresses
        .map((address) => `    - { address: ${address}, security-association: ${association} }\n`)
        .join('')}`,
    );
  const { 'mobile-ip': configured } = load(`${correspondents('203.0.113.2', '203.0.113.3')}${accesses}`);
  assert.deepEqual(
    configured?.correspondents.map(({ address, lifetime }) => [address, lifetime]),
    [
      ['203.0.113.2', 60_000],
      ['203.0.113.3', 60_000],
    ],
  );
  const wrong = correspondents('198.51.100.1', '198.51.100.10', '203.0.113.2', '203.0.113.2');
  assert.deepEqual(
    faults(`${wrong}${accesses}`).map((line) => line.replace(/^[\d:]+ /, '')),
    [
      'mobile-ip.correspondents[0].address: 198.51.100.1 is the home agent',
      "mobile-ip.correspondents[1].address: 198.51.100.10 is the node's home address",
      'mobile-ip.correspondents[3].address: 203.0.113.2 is another correspondent',
    ],
  );
});

test('mobileNodeSchema: classes become selectors of flows, and their weights their own policy', () => {
  const configuration = load(`${tunnel}policy:
  classes:
    - { name: voice, protocol: udp, home-ports: [16384, 32767] }
    - { name: backup, correspondent: 203.0.113.2 }
    - { name: bulk, protocol: tcp, correspondent-ports: 873, weights: { power: 0.1, cost: 0.8, load: 0.1 } }
accesses:
  - { name: wlan, interface: wlan0, power: 1, cost: 4, coverage: small }
  - { name: wimax, interface: wimax0, power: 1, cost: 1, coverage: small }
`);
  assert.deepEqual(flowClassesOf(configuration.policy), [
    { name: 'voice', selector: { protocol: 17, homePorts: [16_384, 32_767] } },
    { name: 'backup', selector: { correspondentAddress: '203.0.113.2' } },
    { name: 'bulk', selector: { protocol: 6, correspondentPorts: [873, 873] } },
  ]);
  const selector = createSelector(configuration.policy!, configuration.accesses);
  for (let n = 0; n < 3; n++) {
    selector.measured?.({ kind: 'answered', access: 'wlan', sentAt: 0, rttMs: 10 }, 0);
    selector.measured?.({ kind: 'answered', access: 'wimax', sentAt: 0, rttMs: 100 }, 0);
  }
  const { chosen, classes } = selector.decide(situation, 0);
  assert.deepEqual([chosen, classes?.map((one) => one.chosen)], ['wlan', ['wlan', 'wlan', 'wimax']]);
});

/** Each number of the policy, with two values that lead to different choices; what is measured says why. */
const knobs: readonly {
  readonly key: string;
  readonly values: readonly [string, string];
  readonly chosen: readonly [string, string];
  /** Round trips over the WLAN and over WiMAX, one after the other. */
  readonly roundTrips?: readonly [readonly number[], readonly number[]];
  readonly coverage?: 'large' | 'small';
  readonly result?: HandoverOutcome['result'];
  readonly at?: number;
}[] = [
  {
    key: 'weights',
    values: ['{ power: 0.1, cost: 0.1, load: 0.8 }', '{ power: 0.1, cost: 0.8, load: 0.1 }'],
    chosen: ['wimax', 'wlan'],
  },
  { key: 'hysteresis', values: ['0', '2'], chosen: ['wimax', 'wlan'], coverage: 'large' },
  { key: 'equal-coverage-hysteresis', values: ['0', '2'], chosen: ['wimax', 'wlan'] },
  {
    key: 'history-window',
    values: ['1', '16'],
    chosen: ['wimax', 'wlan'],
    roundTrips: [
      [20, 20, 20, 20, 20, 25],
      [22, 22, 22],
    ],
  },
  {
    key: 'jitter-weight',
    values: ['0.01', '5'],
    chosen: ['wlan', 'wimax'],
    roundTrips: [
      [20, 30, 20, 30, 20, 30],
      [30, 30, 30],
    ],
  },
  { key: 'warm-up', values: ['3', '4'], chosen: ['wimax', 'wlan'] },
  { key: 'dwell-time', values: ['5s', '20s'], chosen: ['wimax', 'wlan'], result: 'completed', at: 10_000 },
  { key: 'penalty', values: ['5s', '20s'], chosen: ['wimax', 'wlan'], result: 'binding failed', at: 10_000 },
];

for (const { key, values, chosen, roundTrips, coverage = 'small', result, at = 0 } of knobs)
  test(`policy.${key}: ${values.join(' or ')} makes the node choose ${chosen.join(' or ')}`, () => {
    const choices = values.map((value) => {
      const { policy, accesses: configured } = load(`${tunnel}policy: { ${key}: ${value} }
accesses:
  - { name: wlan, interface: wlan0, power: 1, cost: ${key === 'weights' ? 1 : 2}, coverage: ${coverage} }
  - { name: wimax, interface: wimax0, power: 1, cost: 2, coverage: small }
`);
      const selector = createSelector(policy!, configured);
      for (const [index, samples] of (
        roundTrips ?? [
          [100, 100, 100],
          [50, 50, 50],
        ]
      ).entries())
        for (const rttMs of samples)
          selector.measured?.({ kind: 'answered', access: ['wlan', 'wimax'][index]!, sentAt: 0, rttMs }, 0);
      if (result !== undefined) selector.handoverEnded?.({ to: 'wimax', result }, 0);
      return selector.decide(situation, at).chosen;
    });
    assert.deepEqual(choices, chosen);
  });

test('policy.module: a module of the user decides, and is told of the accesses and its own options', () => {
  const source = `export function createSelector({ accesses, options }) {
    return { decide: ({ current }, now) => ({ at: now, current, chosen: accesses[options.take].name, judgements: [] }) };
  }`;
  const configuration = load(
    `${tunnel}policy: { module: ./mine.mjs, options: { take: 0 } }\n${accesses}`,
    source,
  );
  const selector = createSelector(configuration.policy!, configuration.accesses);
  assert.equal(selector.decide(situation, 7).chosen, 'wlan');
});

test('policy.module: one that is not there, or exports something else, is told with its place in the file', () => {
  const text = `${tunnel}policy:\n  module: ./mine.mjs\n${accesses}`;
  assert.match(faults(text)[0] ?? '', /^6:11: policy.module: Cannot find module/);
  assert.match(faults(text, 'export const x = 1;')[0] ?? '', /^6:11: .* exports no function createSelector/);
  const beside = `${tunnel}policy: { module: ./mine.mjs, warm-up: 3 }\n${accesses}`;
  assert.match(faults(beside)[0] ?? '', /policy.warm-up: has no meaning beside a module/);
});

const situation: AccessSituation = {
  candidates: ['wlan', 'wimax'].map((name) => ({ name, isBound: true, isAnswering: true })),
  current: 'wlan',
};

function load(text: string, module?: string): MobileNodeConfiguration {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-configuration-'));
  try {
    if (module !== undefined) writeFileSync(join(folder, 'mine.mjs'), module);
    writeFileSync(join(folder, 'node.yaml'), text);
    return loadConfiguration(join(folder, 'node.yaml'), mobileNodeSchema);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each line of the error without the name of the file. */
function faults(text: string, module?: string): string[] {
  try {
    load(text, module);
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.replace(/^.*?node\.yaml:/, ''));
  }
  throw new Error('the configuration was accepted');
}
