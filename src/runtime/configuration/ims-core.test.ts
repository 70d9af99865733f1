import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { imsCoreSchema } from './ims-core.ts';
import { loadConfiguration } from './load-configuration.ts';
import { toSip } from './sip-values.ts';

const core = (proxies: string): string => `domain: ims.test
p-cscf: [${proxies}]
i-cscf: 10.10.0.12:5060
s-cscf: 10.10.0.13:5060
hss: 10.10.0.14:3868
subscribers: [{ private-identity: bob, public-identities: [sip:bob@ims.test], password: x }]
`;

test('imsCoreSchema: a P-CSCF is an address, or one with further addresses where it listens too', () => {
  const [plain, both] = load(
    core('10.10.0.11:5060, { sip: 10.10.0.15:5060, further-addresses: ["[2001:db8:a::15]:5060"] }'),
  )['p-cscf'];
  assert.deepEqual(plain, { sip: { address: '10.10.0.11', port: 5060 }, 'further-addresses': [] });
  const { address, listen } = toSip(
    { ...(both ?? assert.fail()), hosts: new Map() },
    both?.['further-addresses'],
  );
  assert.equal(address.address, '10.10.0.15');
  assert.deepEqual(
    listen.map((one) => `${one.transport} ${one.address}`),
    ['udp 10.10.0.15', 'tcp 10.10.0.15', 'udp 2001:db8:a::15', 'tcp 2001:db8:a::15'],
  );
});

test('imsCoreSchema: what is wrong with a P-CSCF is told where it is', () => {
  for (const [proxies, message] of [
    ['10.10.0.11', /:2:10: p-cscf\[0\]\.sip: "10\.10\.0\.11" is not an address with a port/],
    [
      '{ sip: 10.10.0.11:5060, further-adresses: [] }',
      /:2:34: p-cscf\[0\]\.further-adresses: unknown key \(did you mean "further-addresses"\?\)/,
    ],
  ] as const)
    assert.throws(() => load(core(proxies)), { code: 'CONFIGURATION_INVALID', message });
});

function load(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-ims-core-'));
  try {
    writeFileSync(join(folder, 'core.yaml'), text);
    return loadConfiguration(join(folder, 'core.yaml'), imsCoreSchema);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
