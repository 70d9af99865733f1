/** IPv6 wherever an address stands in SIP: Via with its sent-by, received and rport (RFC 3581), Contact, Route, Record-Route, SDP; by UDP and by TCP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../src/base/malformed.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
} from '../../src/correspondent-node/correspondent-node.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { SipProxy } from '../../src/protocols/sip/proxy/sip-proxy.ts';
import { SipTestNetwork } from '../../src/protocols/sip/test-support/sip-network.ts';
import { WithoutEvents } from '../figures/ims-core-lab.ts';

const proxyAddress = { address: '2001:db8::1', port: 5060 };

test('user agents and proxy: a call over IPv6, set up, acknowledged and ended along its Record-Route', () => {
  const network = new SipTestNetwork();
  proxy(network);
  const caller = terminal(network, '2001:db8::10', 'alice', 1);
  const callee = terminal(network, '2001:db8::20', 'bob', 1);
  const call = caller.node.placeCall('sip:bob@[2001:db8::20]:5060', 0);
  network.run(2_000);
  caller.node.hangUp(call, network.now);
  network.run(3_000);
  const way = network.ladder.map((line) =>
    line
      .replace(/^\S+ /, '')
      .replace(/ (?:sip:\S+ )?SIP\/2.0(?: (\d+).*)?$/, ' $1')
      .trim(),
  );
  assert.deepEqual(
    way.filter((line) => / (?:INVITE|ACK|BYE)$/.test(line)),
    ['INVITE', 'ACK', 'BYE'].flatMap((method) => [
      `[2001:db8::10]:5060 → [2001:db8::1]:5060 udp ${method}`,
      `[2001:db8::1]:5060 → [2001:db8::20]:5060 udp ${method}`,
    ]),
  );
  assert.deepEqual(
    [caller.types(), callee.types()],
    [
      ['session-established', 'session-ended'],
      ['call-arrived', 'session-established', 'session-ended'],
    ],
  );
  const atCallee = network.messages.filter((text) => text.startsWith('INVITE'))[1]!;
  assert.match(atCallee, /\r\nVia: SIP\/2.0\/UDP \[2001:db8::1\]:5060;branch=/);
  assert.match(
    atCallee,
    /\r\nVia: SIP\/2.0\/UDP \[2001:db8::10\]:5060;branch=[^;]+;rport=5060;received=2001:db8::10\r\n/,
  );
  assert.match(atCallee, /\r\nContact: <sip:alice@\[2001:db8::10\]:5060>\r\n/);
  assert.match(atCallee, /\r\nc=IN IP6 2001:db8::10\r\n/);
  for (const text of network.messages)
    assert.equal(isMalformed(parseSipMessage(Buffer.from(text, 'latin1'))), false);
});

test('user agents and proxy: what is too long for UDP goes by TCP over IPv6 as well', () => {
  const network = new SipTestNetwork();
  proxy(network);
  const caller = terminal(network, '2001:db8::10', 'alice', 30);
  terminal(network, '2001:db8::20', 'bob', 30);
  caller.node.placeCall('sip:bob@[2001:db8::20]:5060', 0);
  network.run(2_000);
  assert.deepEqual(caller.types(), ['session-established']);
  const invites = network.ladder.filter((line) => line.includes(' INVITE '));
  assert.match(invites[0]!, /\[2001:db8::10\]:\d+ → \[2001:db8::1\]:5060 tcp INVITE/);
  assert.match(invites[1]!, /\[2001:db8::1\]:\d+ → \[2001:db8::20\]:5060 tcp INVITE/);
});

test('SipEndpoint: an answer goes to where an IPv6 request really came from, whatever its Via says', () => {
  const network = new SipTestNetwork();
  const endpoint = new SipEndpoint({
    listen: [{ transport: 'udp', ...proxyAddress }],
    random: new SeededRandomSource(1),
  });
  endpoint.start(0);
  network.add(endpoint, () => {});
  const payload = Buffer.from(
    'OPTIONS sip:[2001:db8::1] SIP/2.0\r\nVia: SIP/2.0/UDP [2001:DB8:0::99]:5070;branch=z9hG4bK1;rport\r\nFrom: <sip:a@[2001:db8::9]>;tag=1\r\n' +
      'To: <sip:b@[2001:db8::1]>\r\nCall-ID: a@[2001:db8::9]\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n',
  );
  network.inject(endpoint, {
    kind: 'datagram-received',
    local: proxyAddress,
    remote: { address: '2001:db8::77', port: 7777 },
    payload,
  });
  assert.match(network.ladder[0]!, /\[2001:db8::1\]:5060 → \[2001:db8::77\]:7777 udp SIP\/2.0 400/);
  assert.match(
    network.messages[0]!,
    /Via: SIP\/2.0\/UDP \[2001:DB8:0::99\]:5070;branch=z9hG4bK1;rport=7777;received=2001:db8::77/,
  );
});

function proxy(network: SipTestNetwork): void {
  const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, ...proxyAddress }));
  const machine = new SipProxy({
    endpoint: new SipEndpoint({ listen, random: new SeededRandomSource(1) }),
    ownNames: ['[2001:db8::1]:5060'],
  });
  machine.start(0);
  network.add(machine, () => {
    const { now } = network;
    for (let event = machine.pollEvent(now); event !== undefined; event = machine.pollEvent(now)) {
      const target = { recordRoute: '<sip:[2001:db8::1]:5060;lr>' };
      if (event.kind === 'request') machine.forward(event.transaction, [target], now);
      else if (event.kind === 'ack') machine.forwardAck(event.request, {}, now);
      else if (event.kind === 'response-chosen') machine.respond(event.transaction, event.response, now);
    }
  });
}

function terminal(network: SipTestNetwork, address: string, name: string, media: number) {
  const events: CorrespondentNodeEvent[] = [];
  const node = new CorrespondentNode({
    sip: { address, port: 5060 },
    identity: {
      publicIdentity: `sip:${name}@test`,
      privateIdentity: name,
      password: 'x',
      homeDomain: 'test',
    },
    expiresSeconds: 600,
    registers: false,
    outboundProxy: proxyAddress,
    media: Array.from({ length: media }, (_, index) => ({
      media: 'audio',
      formats: ['0', '8', '18', '96', '97', '98'],
      transport: 'udp',
      port: 4000 + 2 * index,
    })),
    withReservation: false,
    ringMs: 0,
    random: new SeededRandomSource(name.length),
  });
  const machine = new WithoutEvents(node, events);
  machine.start(0);
  network.add(machine, () => {});
  return { node, types: () => events.map(({ type }) => type) };
}
