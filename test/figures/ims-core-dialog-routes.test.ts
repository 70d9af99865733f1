/**
 * What the P-CSCF lets through of what its users send within dialogs (TS 24.229 §5.2.6.3.5, §5.2.6.3.7): requests of dialogs that went by here,
 * along the routes that those were made with; also after the process has been killed, as it remembers nothing of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import type { SipRequest } from '../../src/protocols/sip/message/sip-message.ts';
import { ImsCoreLab, type LabOptions, type TestUser } from './ims-core-lab.ts';
import { MortalFunction } from './mortal-function.ts';

const forgeries: Readonly<Record<string, (request: SipRequest) => void>> = {
  'a way past the S-CSCF': ({ headers }) => setRoutes(headers, ([own, , ...others]) => [own!, ...others]),
  'another server on the way': ({ headers }) =>
    setRoutes(headers, ([own, ...others]) => [own!, '<sip:10.0.1.4;lr>', ...others]),
  'another parameter for the S-CSCF': ({ headers }) =>
    setRoutes(headers, (routes) => routes.map((route) => route.replace('mo@10.0.1.3', 'orig@10.0.1.3'))),
  'no word of ours': ({ headers }) =>
    setRoutes(headers, (routes) =>
      routes.map((route) => route.replace(/m[ot]-[\w-]+@10\.0\.1\.1/, 'mo@10.0.1.1')),
    ),
  'another Call-ID': ({ headers }) => headers.set('Call-ID', 'of-another'),
  'another far end': ({ headers }) => headers.set('To', headers.get('To')!.replace(/tag=.*/, 'tag=another')),
};

for (const side of ['caller', 'called'] as const)
  test(`P-CSCF: a request of the ${side} within no dialog of his, or along another route, goes no further (403)`, () => {
    const { core, mn, cn } = callOf();
    const user = side === 'caller' ? mn : cn;
    for (const [what, forge] of Object.entries(forgeries)) {
      core.takeLadder();
      user.send(core.now, 'INFO', forge);
      core.run(100);
      const name = side === 'caller' ? 'MN' : 'CN';
      assert.deepEqual(core.takeLadder(), [`${name} → P INFO`, `P → ${name} 403`], what);
    }
    user.send(core.now, 'BYE');
    core.run(100);
    assert.equal(user.responses.at(-1)?.statusCode, 200);
  });

test('P-CSCF: an ACK along another route is dropped', () => {
  const { core, mn } = callOf();
  core.takeLadder();
  mn.send(core.now, 'ACK', forgeries['a way past the S-CSCF']);
  mn.send(core.now, 'ACK');
  core.run(100);
  const ladder = core.takeLadder();
  assert.deepEqual(ladder.slice(0, 3), ['MN → P ACK', 'MN → P ACK', 'P → S ACK']);
  assert.equal(ladder.filter((line) => line === 'P → S ACK').length, 1);
});

test('P-CSCF: what a user agent writes in its own way is still the same route', () => {
  const { core, mn } = callOf();
  mn.send(core.now, 'BYE', ({ headers }) =>
    setRoutes(headers, (routes) => [
      routes.map((route) => `"" ${route.replace('<sip:', '<SIP:')}`).join(' , '),
    ]),
  );
  core.run(100);
  assert.equal(mn.responses.at(-1)?.statusCode, 200);
});

test('P-CSCF: dialogs outlive the process where its journal does, and only there', () => {
  for (const [journal, statusCode] of [
    [true, 200],
    [false, 403],
  ] as const) {
    let mortal: MortalFunction | undefined;
    const { core, mn, cn } = callOf({
      runMortal: (address, create) => {
        const function_ = new MortalFunction(
          (life, kept) => create(life, journal ? kept : undefined),
          new SeededRandomSource(1),
        );
        if (address === '10.0.1.1') mortal = function_;
        return function_;
      },
    });
    mortal!.kill();
    core.network.abandon(mortal!);
    mortal!.start(core.now);
    for (const user of [mn, cn]) {
      user.send(core.now, 'INFO');
      core.run(100);
      assert.equal(user.responses.at(-1)?.statusCode, statusCode);
    }
  }
});

function callOf(options: Partial<LabOptions> = {}): { core: ImsCoreLab; mn: TestUser; cn: TestUser } {
  const subscriber = (name: string) => ({
    publicIdentity: `sip:${name}@home1.net`,
    password: 'secret',
    criteria: '',
  });
  const core = new ImsCoreLab({ subscribers: [subscriber('mn'), subscriber('cn')], ...options });
  const user = (name: string, address: string, seed: number): TestUser =>
    core.user({ identity: `sip:${name}@home1.net`, password: 'secret', address, seed });
  const [mn, cn] = [user('mn', '10.0.0.10', 10), user('cn', '10.0.0.20', 20)];
  for (const one of [mn, cn]) one.register(core.now);
  core.run(1_000);
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.equal(mn.responses.at(-1)?.statusCode, 200);
  return { core, mn, cn };
}

function setRoutes(
  headers: SipRequest['headers'],
  change: (routes: readonly string[]) => readonly string[],
): void {
  const routes = change(headers.getAll('Route'));
  headers.removeAll('Route');
  for (const route of routes) headers.append('Route', route);
}
