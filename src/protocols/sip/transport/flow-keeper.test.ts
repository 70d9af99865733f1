/** Keep-alives of flows (RFC 5626 §4.4, §5.4, §8) between two endpoints, and the octets of STUN that they need. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import { answerBinding, decodeBinding, encodeBindingRequest } from './stun-binding.ts';

const local = { address: '10.0.0.1', port: 5060 };
const remote = { address: '10.0.0.2', port: 5060 };
const udp = { transport: 'udp' as const, local, remote };
const tcp = { transport: 'tcp' as const, local, remote };

test('SipEndpoint: keeps a flow over UDP alive by STUN every 24 to 29 s, and every SIP port answers (RFC 5626 §4.4.2, §8)', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, undefined, 0);
  network.run(3_600_000);
  const requests = network.ladder.filter((line) => line.includes('10.0.0.1:5060 →'));
  const at = requests.map((line) => Number(line.split(' ')[0]));
  const gaps = at.slice(1).map((time, index) => time - at[index]!);
  assert.ok(gaps.length > 120 && Math.min(...gaps) >= 24 && Math.max(...gaps) <= 29.1, `${gaps.length}`);
  assert.equal(network.ladder.length, 2 * requests.length);
  assert.deepEqual(user.summary, []);
  user.endpoint.releaseFlow(udp);
  const before = network.ladder.length;
  network.run(4_000_000);
  assert.equal(network.ladder.length, before);
});

test('SipEndpoint: a Flow-Timer shortens the time between keep-alives', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, 10_000, 0);
  network.run(100_000);
  const sent = network.ladder.filter((line) => line.includes('10.0.0.1:5060 →')).length;
  assert.ok(sent >= 10 && sent <= 12, `${sent}`);
});

test('SipEndpoint: seven requests without an answer are the end of a flow over UDP, 39.5 s after the first', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, undefined, 0);
  network.fate = () => [];
  network.run(200_000);
  const at = network.ladder.map((line) => Number(line.split(' ')[0]));
  assert.deepEqual(
    at.map((time) => Math.round((time - at[0]!) * 10) / 10),
    [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5],
  );
  assert.deepEqual(user.events, [{ kind: 'kept-flow-failed', flow: udp }]);
});

test('SipEndpoint: a flow that is suddenly seen with another address has failed; answers to nobody change nothing', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, undefined, 0);
  network.run(30_000);
  const request = encodeBindingRequest(new SeededRandomSource(9));
  const stray = answerBinding(request, decodeBinding(request)!, { address: '192.0.2.1', port: 1 });
  const inject = (payload: Uint8Array) =>
    network.inject(user.endpoint, { kind: 'datagram-received', local, remote, payload });
  inject(stray);
  assert.deepEqual(user.summary, []);
  // An address translator on the way has begun anew: the next answer names another port.
  const before = network.ladder.length;
  network.fate = () => [];
  while (network.ladder.length === before) network.run(network.now + 100);
  const asked = Buffer.from(network.messages.at(-1)!, 'latin1');
  inject(answerBinding(asked, decodeBinding(asked)!, { address: '10.0.0.1', port: 6_000 }));
  assert.deepEqual(user.summary, ['kept-flow-failed']);
});

test('SipEndpoint: a check asks at once and is sent again once; only the peer that was asked answers it, and only by its number', () => {
  const { network, user } = setUp();
  const check = (): string => user.endpoint.checkFlow(udp, network.now) ?? assert.fail();
  const answered = check();
  network.flush();
  network.run(100);
  assert.deepEqual(user.events, [{ kind: 'flow-answered', check: answered }]);
  network.fate = () => [];
  const lost = check();
  network.flush();
  const asked = Buffer.from(network.messages.at(-1)!, 'latin1');
  assert.equal(decodeBinding(asked)?.transactionId, lost);
  const answer = answerBinding(asked, decodeBinding(asked)!, local);
  const another = answerBinding(
    encodeBindingRequest(new SeededRandomSource(9)),
    decodeBinding(asked)!,
    local,
  );
  const stranger = { address: '10.0.0.3', port: 5060 };
  network.inject(user.endpoint, { kind: 'datagram-received', local, remote: stranger, payload: answer });
  network.inject(user.endpoint, { kind: 'datagram-received', local, remote, payload: another });
  network.run(60_000);
  assert.equal(user.events.length, 1);
  assert.equal(network.ladder.length, 4);
  // By now it is forgotten.
  network.inject(user.endpoint, { kind: 'datagram-received', local, remote, payload: answer });
  assert.equal(user.events.length, 1);
});

test('SipEndpoint: a check of a flow that is kept leaves its keep-alives alone, and there is none over a connection', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, undefined, 0);
  network.run(60_000);
  const check = user.endpoint.checkFlow(udp, network.now);
  network.flush();
  network.run(600_000);
  assert.deepEqual(user.events, [{ kind: 'flow-answered', check }]);
  assert.ok(network.ladder.length > 2 * 20);
  assert.equal(user.endpoint.checkFlow(tcp, network.now), undefined);
});

test('SipEndpoint: keeps a connection alive by empty lines every 95 to 120 s; without an answer for 10 s it has failed', () => {
  const { network, user, proxy } = setUp();
  proxy.answerWith(200);
  user.endpoint.sendRequest(testRequest('OPTIONS'), { transport: 'tcp', ...remote }, 0);
  network.run(1_000);
  user.endpoint.keepFlow(tcp, undefined, network.now);
  const before = network.messages.length;
  network.run(601_000);
  const kept = network.messages.slice(before);
  assert.ok(kept.length >= 10 && kept.length <= 14, `${kept.length}`);
  assert.deepEqual([...new Set(kept)].toSorted(), ['\r\n', '\r\n\r\n']);
  assert.deepEqual(user.summary, ['response 200', 'terminated']);
  network.breakConnections();
  network.run(730_000);
  assert.deepEqual(user.summary.slice(2), ['kept-flow-failed']);
});

test('SipEndpoint: an address that is removed takes its kept flows along', () => {
  const { network, user } = setUp();
  user.endpoint.keepFlow(udp, undefined, 0);
  user.endpoint.removeListener({ transport: 'udp', ...local }, 0);
  network.run(100_000);
  assert.deepEqual([network.ladder, user.summary], [[], []]);
});

test('decodeBinding: reads the IPv4 and IPv6 responses of RFC 5769 §2.2 and §2.3', () => {
  const attributesOfIpv4 = '0020000800 01a147e112a643';
  const attributesOfIpv6 = '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9';
  const message = (attributes: string) => {
    const value = Buffer.from(attributes.replaceAll(' ', ''), 'hex');
    const header = Buffer.from('010100002112a442b7e7a701bc34d686fa87dfae', 'hex');
    header.writeUInt16BE(value.length, 2);
    return decodeBinding(Buffer.concat([header, value]));
  };
  assert.deepEqual(message(attributesOfIpv4)?.mapped, { address: '192.0.2.1', port: 32853 });
  assert.deepEqual(message(attributesOfIpv6)?.mapped, {
    address: '2001:db8:1234:5678:11:2233:4455:6677',
    port: 32853,
  });
});

test('answerBinding: says 420 to attributes that must be understood, and broken messages are dropped', () => {
  const request = Buffer.concat([
    encodeBindingRequest(new SeededRandomSource(1)),
    Buffer.from('0003000400000000', 'hex'),
  ]);
  request.writeUInt16BE(8, 2);
  const message = decodeBinding(request)!;
  assert.deepEqual(message.unknown, [3]);
  const answer = Buffer.from(answerBinding(request, message, remote));
  assert.equal(decodeBinding(answer)?.kind, 'error');
  assert.equal(answer.includes(Buffer.from([0, 0, 4, 20])), true);
  assert.deepEqual(answer.subarray(8, 20), request.subarray(8, 20));
  for (let length = 0; length < request.length; length++)
    assert.equal(decodeBinding(request.subarray(0, length)), undefined);
  const random = new SeededRandomSource(3);
  for (let round = 0; round < 20_000; round++) {
    const octets = Buffer.from(request);
    octets[random.nextUint32() % octets.length] = random.nextUint32() & 0xff;
    decodeBinding(octets);
  }
});

function setUp() {
  const network = new SipTestNetwork();
  return { network, user: new TestUser(network, '10.0.0.1'), proxy: new TestUser(network, '10.0.0.2') };
}
