import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { homeAgentSchema } from './home-agent.ts';

test('homeAgentSchema fills in what RFC 5944 and RFC 3519 suggest', () => {
  const configuration = homeAgentSchema.parse(valid());
  assert.deepEqual(
    [
      configuration.port,
      configuration.lifetime,
      configuration['lifetime-behind-nat'],
      configuration.keepalive,
    ],
    [434, 1_800_000, 60_000, 110_000],
  );
  const [mobileNode] = configuration['mobile-nodes'];
  assert.deepEqual([mobileNode?.multipath, mobileNode?.encapsulation], [true, 'rfc3519']);
});

test('homeAgentSchema refuses home addresses that the home link cannot have, and those of others', () => {
  const [mobileNode] = valid()['mobile-nodes'];
  const node = (homeAddress: string, identifier: string) => ({
    ...mobileNode,
    'home-address': homeAddress,
    identifier,
  });
  const mobileNodes = [
    node('198.51.100.10', 'bob@home.example'),
    node('198.51.101.10', 'carol@home.example'),
    node('198.51.100.10', 'dave@home.example'),
    node('198.51.100.1', 'bob@home.example'),
    node('2001:db8::1', 'eve@home.example'),
  ];
  assert.deepEqual(refusals({ ...valid(), 'mobile-nodes': mobileNodes.slice(0, 4) }), [
    'mobile-nodes.1.home-address: 198.51.101.10 is not on the home link, 198.51.100.0/24',
    "mobile-nodes.2.home-address: 198.51.100.10 is another mobile node's",
    "mobile-nodes.3.home-address: 198.51.100.1 is the agent's own address",
    'mobile-nodes.3.identifier: "bob@home.example" is another mobile node\'s',
  ]);
  assert.deepEqual(refusals({ ...valid(), 'mobile-nodes': mobileNodes.slice(4) }), [
    'mobile-nodes.0.home-address: must be an IPv4 address',
    'mobile-nodes.0.home-address: 2001:db8::1 is not on the home link, 198.51.100.0/24',
  ]);
});

test('homeAgentSchema: a correspondent has no home link, a home agent has one', () => {
  const { 'home-link': homeLink, ...rest } = valid();
  const correspondent = { ...rest, role: 'correspondent', address: '203.0.113.2' };
  assert.deepEqual(refusals(correspondent), []);
  assert.deepEqual(refusals({ ...correspondent, 'home-link': homeLink }), [
    'home-link: role: correspondent: it has no home link',
  ]);
  assert.deepEqual(refusals(rest), ['home-link: is missing']);
});

test('homeAgentSchema says what a key, an SPI, a prefix and a lifetime must be, and shows no key', () => {
  const wrong = valid();
  wrong['home-link'].prefix = '198.51.100.0';
  const association = { spi: 255, key: 'hunter2' };
  wrong['mobile-nodes'] = [{ ...wrong['mobile-nodes'][0]!, 'security-associations': [association] }];
  const told = refusals({ ...wrong, lifetime: '2s' });
  assert.deepEqual(told, [
    'home-link.prefix: "198.51.100.0" is not an IPv4 prefix, such as 198.51.100.0/24',
    'mobile-nodes.0.security-associations.0.spi: at least 256: the lower ones are reserved (RFC 5944)',
    'lifetime: 10s to 65534s',
  ]);
  const { 'mobile-nodes': nodes } = homeAgentSchema.parse({
    ...valid(),
    'mobile-nodes': [
      { ...valid()['mobile-nodes'][0], 'security-associations': [{ ...association, spi: 256 }] },
    ],
  });
  assert.throws(
    () => nodes[0]?.['security-associations'][0]?.key.read('.'),
    /^Error: a key is 32 to 128 hexadecimal digits, such as "openssl rand -hex 16" prints$/,
  );
});

function valid() {
  return parse(`
address: 198.51.100.1
home-link: { interface: eth0, prefix: 198.51.100.0/24 }
mobile-nodes:
  - home-address: 198.51.100.10
    security-associations: [{ spi: 256, key: 00112233445566778899aabbccddeeff }]
`) as {
    'home-link': { prefix: string };
    'mobile-nodes': { 'security-associations': { spi: number; key: string }[] }[];
  };
}

function refusals(configuration: unknown): string[] {
  const { error } = homeAgentSchema.safeParse(configuration);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}
