/** A call to a sips: URI between two terminals (RFC 3261 §8.1.1.8 and §12.1.1): every Contact is sips:, and every message goes by TLS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
} from '../../src/correspondent-node/correspondent-node.ts';
import { SipTestNetwork } from '../../src/protocols/sip/test-support/sip-network.ts';
import { WithoutEvents } from './ims-core-lab.ts';

test('CorrespondentNode: calls sips: and is called so, by TLS only, with Contacts of sips:', () => {
  const network = new SipTestNetwork();
  const [alice, bob] = [terminal(network, '10.0.0.1', '10.0.0.2'), terminal(network, '10.0.0.2', '10.0.0.1')];
  const call = alice.node.placeCall('sips:bob@10.0.0.2:5061', network.now);
  network.flush();
  network.run(1_000);
  assert.deepEqual(
    [alice, bob].map(({ events }) => events.map(({ type }) => type)),
    [['session-established'], ['call-arrived', 'session-established']],
  );
  // From the side that was called, in the dialog.
  bob.node.hangUp(bob.events.find((event) => event.type === 'call-arrived')!.call, network.now);
  network.flush();
  network.run(2_000);
  assert.equal(alice.events.at(-1)?.type, 'session-ended');
  assert.equal(call, 1);
  const contacts = network.messages.flatMap((text) => /^Contact: (.*)$/m.exec(text)?.[1]?.trim() ?? []);
  assert.deepEqual([...new Set(contacts)].sort(), ['<sips:alice@10.0.0.1:5061>', '<sips:bob@10.0.0.2:5061>']);
  assert.ok(network.messages.some((text) => text.startsWith('BYE sips:alice@10.0.0.1:5061 ')));
  assert.deepEqual(
    network.ladder.filter((line) => !line.includes(':5061 ')),
    [],
  );
});

function terminal(network: SipTestNetwork, address: string, peer: string) {
  const name = address.endsWith('.1') ? 'alice' : 'bob';
  const events: CorrespondentNodeEvent[] = [];
  network.certificates.set(address, [address]);
  const node = new CorrespondentNode({
    sip: { address, port: 5060 },
    tls: { port: 5061, serverName: peer },
    identity: {
      publicIdentity: `sips:${name}@${address}`,
      privateIdentity: name,
      password: 'x',
      homeDomain: 'x',
    },
    expiresSeconds: 600,
    registers: false,
    outboundProxy: { address: peer, port: 5061 },
    media: [{ media: 'audio', transport: 'udp', port: 4000 }],
    withReservation: false,
    ringMs: 0,
    random: new SeededRandomSource(Number(address.slice(-1))),
  });
  const machine = new WithoutEvents(node, events);
  machine.start(network.now);
  network.add(machine, () => {});
  return { node, events };
}
