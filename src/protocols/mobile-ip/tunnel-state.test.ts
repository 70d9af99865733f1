import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipProtocol } from '../ip/ip-packet.ts';
import { selectTunnelRule, type TunnelChange, type TunnelEndpoint } from './tunnel-state.ts';

const endpoint = (careOf: string): TunnelEndpoint => ({
  local: { address: '198.51.100.1', port: 434 },
  remote: { address: careOf, port: 50_000 },
  encapsulation: 'rfc3519',
});
const [umts, wlan] = [endpoint('192.0.2.10'), endpoint('203.0.113.10')];
const change: TunnelChange = {
  kind: 'bind',
  binding: {
    homeAddress: '198.51.100.99',
    homeAgent: '198.51.100.1',
    endpoints: [umts, wlan],
    rules: [
      { selector: { protocol: ipProtocol.udp, homePorts: [40_000, 40_009] }, endpoints: [umts] },
      { selector: { correspondentPorts: [22, 22] }, endpoints: [umts, wlan] },
      { selector: {}, endpoints: [wlan] },
    ],
  },
};
const { rules } = change.binding;
const correspondentAddress = '192.0.2.80';
const selected = (protocol: number, homePort: number, correspondentPort: number) =>
  selectTunnelRule(rules, { correspondentAddress, protocol, homePort, correspondentPort })?.endpoints;

test('selectTunnelRule: the first rule that fits protocol and both port ranges, ends included', () => {
  assert.deepEqual(selected(ipProtocol.udp, 40_000, 9), [umts]);
  assert.deepEqual(selected(ipProtocol.udp, 40_009, 22), [umts]);
  assert.deepEqual(selected(ipProtocol.udp, 40_010, 22), [umts, wlan]);
  assert.deepEqual(selected(ipProtocol.tcp, 40_000, 22), [umts, wlan]);
  assert.deepEqual(selected(ipProtocol.tcp, 40_000, 80), [wlan]);
  assert.deepEqual(selected(ipProtocol.icmp, 0, 0), [wlan]);
});

test('selectTunnelRule: a flow that fits no rule has none', () => {
  assert.equal(
    selectTunnelRule(rules.slice(0, 2), {
      correspondentAddress,
      protocol: 1,
      homePort: 0,
      correspondentPort: 0,
    }),
    undefined,
  );
});

test('selectTunnelRule: one correspondent is told from all others', () => {
  const direct = { selector: { correspondentAddress }, endpoints: [umts] };
  const flow = { protocol: ipProtocol.tcp, homePort: 1, correspondentPort: 2 };
  const both = [direct, { selector: {}, endpoints: [wlan] }];
  assert.deepEqual(selectTunnelRule(both, { ...flow, correspondentAddress })?.endpoints, [umts]);
  assert.deepEqual(selectTunnelRule(both, { ...flow, correspondentAddress: '192.0.2.81' })?.endpoints, [
    wlan,
  ]);
});
