/** SIP over TLS (RFC 3261 §26) and connection reuse (RFC 5923), as the machines see it: sockets and certificates are the host's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { parseUri } from '../message/sip-uri.ts';
import { nextHopOf } from '../proxy/next-hop.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';

const toBob = { transport: 'tls' as const, address: '10.0.0.2', port: 5061, serverName: 'b.test' };
const toAlice = { transport: 'tls' as const, address: '10.0.0.1', port: 5061, serverName: 'a.test' };

test('SipEndpoint: a request by TLS says so in its Via, and its answer comes back over the same connection', () => {
  const { network, alice, bob } = setUp();
  bob.answerWith(180, 200);
  alice.endpoint.sendRequest(testRequest('INVITE'), toBob, 0);
  network.run(1_000);
  assert.match(network.messages[0]!, /\r\nVia: SIP\/2.0\/TLS 10.0.0.1:5061;branch=[^;]+;alias\r\n/);
  assert.deepEqual(alice.summary, ['response 180', 'response 200']);
  assert.equal(network.connections, 1);
  assert.equal(bob.lastRequest.transport, 'tls');
});

test('SipEndpoint: a server whose certificate is not for the name that was asked for gets nothing', () => {
  const { network, alice, bob } = setUp();
  alice.endpoint.sendRequest(testRequest('OPTIONS'), { ...toBob, serverName: 'c.test' }, 0);
  network.run(1_000);
  assert.deepEqual([alice.summary, bob.summary], [['transport-failed', 'terminated'], []]);
  // Nor is a connection to it used that was checked for another name.
  bob.answerWith(200);
  alice.endpoint.sendRequest(testRequest('OPTIONS', { cseq: 2 }), toBob, network.now);
  network.run(2_000);
  alice.endpoint.sendRequest(
    testRequest('OPTIONS', { cseq: 3 }),
    { ...toBob, serverName: 'c.test' },
    network.now,
  );
  network.run(3_000);
  assert.equal(bob.transactions.length, 1);
});

test('SipEndpoint: requests the other way use the connection if its client has proven to be sent-by (RFC 5923)', () => {
  const { network, alice, bob } = setUp('a.test');
  alice.endpoint.sendRequest(testRequest('OPTIONS'), toBob, 0);
  network.run(1_000);
  // The Via of these machines names an address: a certificate for it, too, makes the alias.
  assert.equal(network.connections, 1);
  bob.endpoint.sendRequest(
    testRequest('MESSAGE', { callId: 'back' }),
    { ...toAlice, serverName: '10.0.0.1' },
    network.now,
  );
  network.run(2_000);
  assert.deepEqual([network.connections, alice.lastRequest.request.method], [1, 'MESSAGE']);
});

test('SipEndpoint: the alias of somebody without a certificate for it is not believed', () => {
  const { network, alice, bob } = setUp();
  network.certificates.delete('10.0.0.1');
  alice.endpoint.sendRequest(testRequest('OPTIONS'), toBob, 0);
  network.run(1_000);
  bob.endpoint.sendRequest(
    testRequest('MESSAGE', { callId: 'back' }),
    { ...toAlice, serverName: '10.0.0.1' },
    network.now,
  );
  network.run(2_000);
  // A connection of its own was tried, to a host that has no certificate.
  assert.equal(network.connections, 2);
  assert.equal(alice.transactions.length, 0);
});

test('nextHopOf: sips: leads over TLS to port 5061 and to nowhere else, transport=tls of sip: too (RFC 3261 §26.2.2)', () => {
  const hosts = new Map([['b.test', { address: '10.0.0.2' }]]);
  const hop = (text: string) => {
    const uri = parseUri(text);
    return isMalformed(uri) ? undefined : nextHopOf(uri, hosts);
  };
  assert.deepEqual(hop('sips:bob@b.test'), toBob);
  assert.deepEqual(hop('sips:bob@B.test;transport=tcp'), toBob);
  assert.deepEqual(hop('sip:bob@b.test;transport=tls'), toBob);
  assert.equal(hop('sips:bob@b.test;transport=udp'), undefined);
  assert.equal(hop('sips:bob@[2001:db8::1]:5071')?.serverName, '2001:db8::1');
});

function setUp(...names: string[]) {
  const network = new SipTestNetwork();
  network.certificates.set('10.0.0.1', ['10.0.0.1', ...names]).set('10.0.0.2', ['b.test']);
  const user = (address: string) =>
    new TestUser(network, address, { listen: [{ transport: 'tls', address, port: 5061 }] });
  return { network, alice: user('10.0.0.1'), bob: user('10.0.0.2') };
}
