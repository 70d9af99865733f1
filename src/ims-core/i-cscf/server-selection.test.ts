import assert from 'node:assert/strict';
import { test } from 'node:test';
import { avp } from '../../protocols/diameter/avp.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import { selectServers } from './server-selection.ts';

const servers = [
  { name: 'sip:one', capabilities: [1] },
  { name: 'sip:two', capabilities: [1, 2] },
  { name: 'sip:three', capabilities: [1, 2, 3] },
];

function capabilities(
  mandatory: readonly number[],
  optional: readonly number[] = [],
  names: readonly string[] = [],
) {
  return [
    avp(cxAvps.serverCapabilities, [
      ...mandatory.map((number) => avp(cxAvps.mandatoryCapability, number)),
      ...optional.map((number) => avp(cxAvps.optionalCapability, number)),
      ...names.map((name) => avp(cxAvps.serverName, name)),
    ]),
  ];
}

test('selectServers takes the server that the HSS names, whatever else it says', () => {
  assert.deepEqual(selectServers([avp(cxAvps.serverName, 'sip:assigned'), ...capabilities([9])], servers), [
    'sip:assigned',
  ]);
});

test('selectServers wants every mandatory capability and prefers more of the optional ones', () => {
  assert.deepEqual(selectServers(capabilities([2]), servers), ['sip:two', 'sip:three']);
  assert.deepEqual(selectServers(capabilities([1], [3, 2]), servers), ['sip:three', 'sip:two', 'sip:one']);
  assert.deepEqual(selectServers(capabilities([9]), servers), []);
  assert.deepEqual(selectServers(capabilities([3], [], ['sip:named']), servers), ['sip:named', 'sip:three']);
});

test('selectServers takes any server when the HSS asks for nothing', () => {
  assert.deepEqual(selectServers([], servers), ['sip:one', 'sip:two', 'sip:three']);
});
