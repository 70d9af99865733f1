/** Users who come to the P-CSCF by TLS only (RFC 3261 §26.3.2), called and calling, with the core behind it as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
} from '../../src/correspondent-node/correspondent-node.ts';
import { ImsCoreLab, WithoutEvents } from './ims-core-lab.ts';

test('P-CSCF: users of TLS register, call and are called, each over the one connection that it opened', () => {
  const subscriber = (name: string) => ({
    publicIdentity: `sip:${name}@home1.net`,
    password: 'secret',
    criteria: '',
  });
  const core = new ImsCoreLab({ subscribers: [subscriber('mn'), subscriber('cn')], listensByTls: true });
  core.network.certificates.set('10.0.1.1', ['pcscf.home1.net']);
  const mn = terminal(core, '10.0.0.10', 'mn');
  const cn = terminal(core, '10.0.0.20', 'cn');
  core.run(2_000);
  for (const [from, to] of [
    [mn, 'sip:cn@home1.net'],
    [cn, 'sip:mn@home1.net'],
  ] as const) {
    const call = from.node.placeCall(to, core.now);
    core.network.flush();
    core.run(2_000);
    from.node.hangUp(call, core.now);
    core.network.flush();
    core.run(2_000);
  }
  const expected = [
    'registered',
    'session-established',
    'session-ended',
    'call-arrived',
    'session-established',
    'session-ended',
  ];
  assert.deepEqual(
    mn.events.map(({ type }) => type),
    expected,
  );
  assert.deepEqual([...cn.events.map(({ type }) => type)].sort(), [...expected].sort());
  const ofUsers = core.network.ladder.filter((line) => line.includes(' 10.0.0.'));
  assert.ok(ofUsers.length > 20);
  assert.deepEqual(
    ofUsers.filter((line) => !line.includes('10.0.1.1:5061')),
    [],
  );
  // RFC 5658: the P-CSCF stands twice in the route, for the side of TLS and for the core, and takes both off.
  const pair = [
    'Record-Route: <sip:mo@10.0.1.1:5060;lr;r2=on>',
    'Record-Route: <sip:mo@10.0.1.1:5061;transport=tls;lr;r2=on>',
  ];
  const calls = core.network.messages.filter((text) => text.startsWith('INVITE '));
  assert.ok(calls.some((text) => text.includes(pair.join('\r\n'))));
  const ends = core.network.messages.filter((text) => text.startsWith('BYE '));
  const vouched =
    /\r\nRoute: <sip:mo-([\w-]{22})@10\.0\.1\.1:5061;transport=tls;lr;r2=on>\r\nRoute: <sip:mo-\1@10\.0\.1\.1:5060;lr;r2=on>/;
  assert.ok(ends.some((text) => vouched.test(text)));
  assert.ok(ends.some((text) => !text.includes('r2=on')));
  const opened = new Set(ofUsers.flatMap((line) => line.match(/10\.0\.0\.\d+:\d+/) ?? []));
  assert.equal(opened.size, 2);
});

function terminal(core: ImsCoreLab, address: string, name: string) {
  const events: CorrespondentNodeEvent[] = [];
  const node = new CorrespondentNode({
    sip: { address, port: 5060 },
    tls: { port: 5061, serverName: 'pcscf.home1.net' },
    identity: {
      publicIdentity: `sip:${name}@home1.net`,
      privateIdentity: `${name}@home1.net`,
      password: 'secret',
      homeDomain: 'home1.net',
    },
    expiresSeconds: 600,
    registers: true,
    outboundProxy: { address: '10.0.1.1', port: 5061 },
    media: [{ media: 'audio', transport: 'udp', port: 4000 }],
    withReservation: false,
    ringMs: 100,
    random: new SeededRandomSource(Number(address.slice(-2))),
  });
  const machine = new WithoutEvents(node, events);
  machine.start(core.now);
  core.network.add(machine, () => {});
  return { node, events };
}
