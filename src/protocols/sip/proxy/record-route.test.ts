import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProxySide, recordRouteValues } from './record-route.ts';

const udp: ProxySide = { transport: undefined, local: { address: '10.0.0.1', port: 5060 } };
const tls: ProxySide = { transport: 'tls', local: { address: '10.0.0.1', port: 5061 } };
const tcp6: ProxySide = { transport: 'tcp', local: { address: '2001:db8::1', port: 5060 } };

test('recordRouteValues: once where both sides are alike, twice where transport or address family changes, the side it leaves by on top', () => {
  const values = (from: ProxySide, to: ProxySide) => recordRouteValues({ user: 'mo' }, [from, to], false);
  assert.deepEqual(values(udp, udp), ['<sip:mo@10.0.0.1:5060;lr>']);
  assert.deepEqual(values(tls, tls), ['<sip:mo@10.0.0.1:5061;transport=tls;lr>']);
  assert.deepEqual(values(tls, udp), [
    '<sip:mo@10.0.0.1:5060;lr;r2=on>',
    '<sip:mo@10.0.0.1:5061;transport=tls;lr;r2=on>',
  ]);
  assert.deepEqual(values(udp, tcp6), [
    '<sip:mo@[2001:db8::1]:5060;transport=tcp;lr;r2=on>',
    '<sip:mo@10.0.0.1:5060;lr;r2=on>',
  ]);
});

test('recordRouteValues: sips: for a sips: request (RFC 3261 §16.6), and nothing where nobody needs it', () => {
  assert.deepEqual(recordRouteValues({}, [tls, tls], true), ['<sips:10.0.0.1:5061;lr>']);
  assert.deepEqual(recordRouteValues({ onlyBetweenSides: true }, [udp, udp], false), []);
  assert.equal(recordRouteValues({ onlyBetweenSides: true }, [udp, tls], false).length, 2);
});
