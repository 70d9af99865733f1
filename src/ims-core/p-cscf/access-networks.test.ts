import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessNetworks, parsePrefix } from './access-networks.ts';

test('AccessNetworks: the longest prefix that holds the address says what access it is', () => {
  const networks = new AccessNetworks([
    { prefix: '10.0.0.0/8', info: '3GPP-UTRAN-FDD' },
    { prefix: '10.1.2.0/23', info: 'IEEE-802.11;i-wlan-node-id=001122334455' },
    { prefix: '2001:db8::/33', info: '3GPP-E-UTRAN-FDD' },
  ]);
  const wlan = 'IEEE-802.11;i-wlan-node-id=001122334455;network-provided';
  for (const [address, info] of [
    ['10.1.1.255', '3GPP-UTRAN-FDD;network-provided'],
    ['10.1.2.0', wlan],
    ['10.1.3.255', wlan],
    ['10.1.4.0', '3GPP-UTRAN-FDD;network-provided'],
    ['2001:db8:7fff::1', '3GPP-E-UTRAN-FDD;network-provided'],
    ['2001:db8:8000::1', undefined],
    ['192.0.2.1', undefined],
  ] as const)
    assert.equal(networks.infoOf(address), info, address);
  assert.equal(
    new AccessNetworks([{ prefix: '0.0.0.0/0', info: 'ADSL' }]).infoOf('192.0.2.1'),
    'ADSL;network-provided',
  );
});

test('parsePrefix refuses what is no prefix', () => {
  for (const text of ['10.0.0.0', '10.0.0.0/33', '2001:db8::/129', '10.0.0/8', '/8', 'x/8'])
    assert.equal(parsePrefix(text), undefined, text);
});
