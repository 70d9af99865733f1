/** The mobile node's SIP by TLS to its P-CSCFs (RFC 3261 §26.3.2, RFC 5626): it is called, moves and is called again over the connections it opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audio, isEstablished, TrimCall, type TrimCallOptions } from './trim-call.ts';

for (const proxyCscfs of ['shared', 'per-access'] as const)
  for (const originator of ['mobile node', 'correspondent'] as const)
    test(`TRIM by TLS, ${proxyCscfs} P-CSCF, the ${originator} calls: two handovers, every message over the node's own connections`, () => {
      const options: TrimCallOptions = { isSecured: true, proxyCscfs, originator, media: [audio] };
      const call = new TrimCall(options);
      call.establish();
      call.run(1_000);
      for (const access of ['wlan', '3g']) {
        call.handOver(access);
        call.run(1_000);
        assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
      }
      call.correspondent.perform((now) => call.correspondent.terminal.hangUp(handleOf(call), now));
      call.run(1_000);
      assert.ok(call.phone.events.some(({ type }) => type === 'session-ended'));
      assert.ok(isEstablished(call.phone.events));
      const ofNode = call.lab.trace.filter(
        ({ node, protocol, from, to }) =>
          node === 'mn' && protocol === 'sip' && ![from, to].some((end) => end.startsWith('10.64.0.1:')),
      );
      assert.ok(ofNode.length > 20);
      for (const { from, to, transport, summary } of ofNode) {
        assert.equal(transport, 'tcp', summary);
        assert.ok(
          [from, to].some((end) => end.endsWith(':5061')),
          `${from} ${to} ${summary}`,
        );
      }
      const connections = new Set(ofNode.map(({ from, to }) => [from, to].sort().join(' ')));
      assert.ok(connections.size <= 3, [...connections].join('\n'));
    });

function handleOf(call: TrimCall): number {
  const established = call.correspondent.events.find((event) => event.type === 'session-established');
  assert.ok(established);
  return established.call;
}
