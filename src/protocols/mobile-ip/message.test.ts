import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Malformed } from '../../base/malformed.ts';
import { type Authentication, isAuthentic, type SecurityAssociation } from './authentication.ts';
import type { Extension, UdpTunnelRequest } from './extension.ts';
import { decodeMessage, encodeMessage, type MobileIpMessage, type RegistrationRequest } from './message.ts';

/** The same folder from the sources and from dist/. */
const vectorFile = JSON.parse(readFileSync('test/data/mobile-ip-vectors.json', 'utf8')) as {
  readonly hmacKey: string;
  readonly spi: number;
  readonly vectors: readonly { readonly name: string; readonly hex: string }[];
};
const association: SecurityAssociation = {
  spi: vectorFile.spi,
  algorithm: 'hmac-md5',
  key: Buffer.from(vectorFile.hmacKey, 'hex'),
};
const homeAddress = '10.0.0.50';
const homeAgent = '10.0.0.1';
const nai: Extension = { kind: 'network-access-identifier', identifier: 'mn1@home.example' };
const baseRequest: RegistrationRequest = {
  kind: 'registration-request',
  simultaneousBindings: false,
  broadcasts: false,
  decapsulationByMobileNode: true,
  minimalEncapsulation: false,
  genericRoutingEncapsulation: false,
  reverseTunnel: true,
  lifetimeSeconds: 300,
  homeAddress,
  homeAgent,
  careOfAddress: '192.0.2.10',
  identification: 0n,
  extensions: [],
};
const tunnelRequest: UdpTunnelRequest = {
  kind: 'udp-tunnel-request',
  forced: false,
  throughForeignAgent: false,
  encapsulation: 4,
};

/** What each vector says, written by hand from its description. */
const meanings: Readonly<Record<string, MobileIpMessage>> = {
  'rrq-udp-tunnel': {
    ...baseRequest,
    identification: 0xe9e3_9080_1234_5678n,
    extensions: [nai, tunnelRequest],
  },
  'rrp-udp-tunnel-accepted': {
    kind: 'registration-reply',
    code: 0,
    lifetimeSeconds: 120,
    homeAddress,
    homeAgent,
    identification: 0xe9e3_9080_1234_5678n,
    extensions: [nai, { kind: 'udp-tunnel-reply', code: 0, forced: false, keepaliveSeconds: 110 }],
  },
  'rrp-ident-mismatch': {
    kind: 'registration-reply',
    code: 133,
    lifetimeSeconds: 0,
    homeAddress,
    homeAgent,
    identification: 0xe9e3_9100_1234_5678n,
    extensions: [],
  },
  'rrq-dereg-one': { ...baseRequest, lifetimeSeconds: 0, identification: 0xe9e3_9081_1234_5678n },
  'rrq-dereg-all': {
    ...baseRequest,
    decapsulationByMobileNode: false,
    reverseTunnel: false,
    lifetimeSeconds: 0,
    careOfAddress: homeAddress,
    identification: 0xe9e3_9082_1234_5678n,
  },
  'rrq-simultaneous': {
    ...baseRequest,
    simultaneousBindings: true,
    careOfAddress: '198.51.100.7',
    identification: 0xe9e3_9083_1234_5678n,
    extensions: [{ ...tunnelRequest, forced: true }],
  },
  'rrq-multipath': {
    ...baseRequest,
    careOfAddress: '198.51.100.7',
    identification: 0xe9e3_9084_1234_5678n,
    extensions: [
      {
        kind: 'multipath',
        accessTechnology: 4,
        interfaceLabel: 10,
        bindingId: 2,
        bulk: false,
        overwrite: false,
      },
    ],
  },
  revocation: {
    kind: 'registration-revocation',
    byHomeAgent: true,
    informs: false,
    homeAddress,
    homeDomainAddress: homeAgent,
    foreignDomainAddress: '192.0.2.10',
    revocationIdentifier: 0xe9e3_9080,
    extensions: [],
  },
  'revocation-ack': {
    kind: 'revocation-acknowledgment',
    informs: false,
    homeAddress,
    revocationIdentifier: 0xe9e3_9080,
    extensions: [],
  },
};

for (const { name, hex } of vectorFile.vectors.filter((vector) => vector.name !== 'tunnel-data-keepalive')) {
  test(`encodeMessage, decodeMessage: the vector ${name} byte for byte`, () => {
    const message = meanings[name]!;
    assert.equal(Buffer.from(encodeMessage(message, association)).toString('hex'), hex);
    const octets = Buffer.from(hex, 'hex');
    const received = decodeMessage(octets);
    assert.ok(!(received instanceof Malformed));
    assert.deepEqual(received.message, message);
    assert.equal(isAuthentic(octets, received.authentication!, association), true);
  });
}

test('isAuthentic: another key, another SPI, another algorithm and any changed octet are refused', () => {
  const octets = encodeMessage(baseRequest, association);
  const { authentication } = decodeMessage(octets) as { authentication: Authentication };
  assert.equal(isAuthentic(octets, authentication, association), true);
  assert.equal(isAuthentic(octets, authentication, { ...association, key: Buffer.alloc(16) }), false);
  assert.equal(isAuthentic(octets, authentication, { ...association, spi: 257 }), false);
  assert.equal(isAuthentic(octets, authentication, { ...association, algorithm: 'hmac-sha256' }), false);
  for (let at = 1; at < octets.length; at++) {
    const changed = Uint8Array.from(octets);
    changed[at] = changed[at]! ^ 1;
    const received = decodeMessage(changed);
    if (received instanceof Malformed || received.authentication === undefined) continue;
    assert.equal(isAuthentic(changed, received.authentication, association), false, `octet ${at}`);
  }
});

test('encodeMessage: HMAC-SHA-256 under an SPI of its own', () => {
  const other: SecurityAssociation = { ...association, spi: 300, algorithm: 'hmac-sha256' };
  const octets = encodeMessage(baseRequest, other);
  assert.equal(octets.length, 24 + 6 + 32);
  const received = decodeMessage(octets);
  assert.ok(!(received instanceof Malformed));
  assert.equal(isAuthentic(octets, received.authentication!, other), true);
});

test('decodeMessage: what stands behind the authentication is kept apart', () => {
  const reply = Buffer.concat([
    encodeMessage({ ...baseRequest, extensions: [nai] }, association),
    Buffer.from('9006000000040000', 'hex'),
    Buffer.from('20140000010034e89d1c9c95915db890748ead289111', 'hex'),
  ]);
  const received = decodeMessage(reply);
  assert.ok(!(received instanceof Malformed));
  assert.deepEqual(received.message.extensions, [nai]);
  assert.deepEqual(received.unprotected, [tunnelRequest]);
  assert.deepEqual(received.furtherAuthentications, ['mobile-home']);
});

test('decodeMessage: unknown types below 128 end the message, those above and padding are passed over', () => {
  const withExtension = (hex: string): Uint8Array =>
    Buffer.concat([encodeMessage(baseRequest), Buffer.from(hex, 'hex')]);
  assert.equal((decodeMessage(withExtension('7f00')) as Malformed).field, 'Extension 127');
  for (const skipped of ['8000', 'ff03010203', '000000', '820084041122334494060018c0000200'])
    assert.deepEqual((decodeMessage(withExtension(skipped)) as { message: unknown }).message, baseRequest);
  // The third reserved field of a UDP Tunnel Request: as if it were not understood (RFC 3519 §3.1.3).
  const reserved = decodeMessage(withExtension('9006000000040001')) as { message: MobileIpMessage };
  assert.deepEqual(reserved.message.extensions, []);
});

test('decodeMessage: the bits r and x are ignored', () => {
  const octets = encodeMessage(baseRequest);
  octets[1] = octets[1]! | 0x05;
  assert.deepEqual((decodeMessage(octets) as { message: unknown }).message, baseRequest);
});

test('decodeMessage: values that may not be are reported, and the message can still be answered', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['9a010004040a0000', 'BID'],
    ['9a010004040aff00', 'BID'],
    ['9a01000404000200', 'If-Label'],
    ['9a010004040a02c0', 'B, O'],
    ['9a010003040a02', 'Length'],
    ['9a02000801000100000000', 'Length'],
    ['9a02000a01010200000000000000', 'TS Format'],
    ['9a020009010102010000000000', 'none'],
    ['9a020009020102010000000000', 'Action'],
    ['9a0200080100010000000000', 'BID Count'],
    ['9a020009010102010040000000', 'Traffic Selector'],
    ['9a020009010102010080000000', 'Traffic Selector'],
    ['8300', 'Length'],
    ['90050000000400', 'Length'],
    ['89050000000000', 'Length'],
  ];
  for (const [hex, field] of wrong) {
    const octets = Buffer.concat([encodeMessage(baseRequest), Buffer.from(hex, 'hex')]);
    const received = decodeMessage(octets);
    if (field === 'Length' && received instanceof Malformed) continue;
    assert.ok(!(received instanceof Malformed), hex);
    assert.equal(received.malformed?.field ?? 'none', field, hex);
  }
});

test('decodeMessage: nothing can be answered when the shape is broken', () => {
  const whole = encodeMessage({ ...baseRequest, extensions: [nai, tunnelRequest] }, association);
  for (const length of [0, 1, 23, 25, 30, 41, whole.length - 1])
    assert.ok(decodeMessage(whole.subarray(0, length)) instanceof Malformed, `${length} octets`);
  assert.ok(decodeMessage(Uint8Array.of(4, 4, 0, 0)) instanceof Malformed);
  assert.ok(
    decodeMessage(Buffer.concat([encodeMessage(baseRequest), Buffer.alloc(1500)])) instanceof Malformed,
  );
  assert.ok(
    decodeMessage(Buffer.concat([encodeMessage(baseRequest), Buffer.from('200400000100', 'hex')])) instanceof
      Malformed,
  );
});

const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((octets) => octets.join('.'));
const uint8 = fc.nat(255);
const uint16 = fc.nat(65_535);
const uint32 = fc.nat(0xffff_ffff);
const range = <Value>(value: fc.Arbitrary<Value>) =>
  fc.record({ first: value, last: value }, { requiredKeys: ['first'] });
const bindingId = fc.integer({ min: 1, max: 254 });
const extension: fc.Arbitrary<Extension> = fc.oneof(
  fc.record({
    kind: fc.constant('network-access-identifier' as const),
    identifier: fc.string({ minLength: 1, maxLength: 60 }),
  }),
  fc.record({ kind: fc.constant('message-string' as const), text: fc.string({ maxLength: 60 }) }),
  fc.record({
    kind: fc.constant('udp-tunnel-request' as const),
    forced: fc.boolean(),
    throughForeignAgent: fc.boolean(),
    encapsulation: uint8,
  }),
  fc.record({
    kind: fc.constant('udp-tunnel-reply' as const),
    code: uint8,
    forced: fc.boolean(),
    keepaliveSeconds: uint16,
  }),
  fc.record({
    kind: fc.constant('revocation-support' as const),
    informs: fc.boolean(),
    timestamp: uint32,
  }),
  fc.record({
    kind: fc.constant('multipath' as const),
    accessTechnology: uint8,
    interfaceLabel: fc.integer({ min: 1, max: 255 }),
    bindingId,
    bulk: fc.boolean(),
    overwrite: fc.constant(false),
  }),
  fc.record({
    kind: fc.constant('flow-binding' as const),
    action: fc.constant('forward' as const),
    bindingIds: fc.array(bindingId, { minLength: 1, maxLength: 8 }),
    selector: fc.record(
      {
        sourceAddress: range(address),
        destinationAddress: range(address),
        securityParametersIndex: range(uint32),
        sourcePort: range(uint16),
        destinationPort: range(uint16),
        differentiatedServices: range(uint8),
        protocol: range(uint8),
      },
      { requiredKeys: [] },
    ),
  }),
);
const extensions = fc.array(extension, { maxLength: 6 });
const identification = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const message: fc.Arbitrary<MobileIpMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('registration-request' as const),
    simultaneousBindings: fc.boolean(),
    broadcasts: fc.boolean(),
    decapsulationByMobileNode: fc.boolean(),
    minimalEncapsulation: fc.boolean(),
    genericRoutingEncapsulation: fc.boolean(),
    reverseTunnel: fc.boolean(),
    lifetimeSeconds: uint16,
    homeAddress: address,
    homeAgent: address,
    careOfAddress: address,
    identification,
    extensions,
  }),
  fc.record({
    kind: fc.constant('registration-reply' as const),
    code: uint8,
    lifetimeSeconds: uint16,
    homeAddress: address,
    homeAgent: address,
    identification,
    extensions,
  }),
  fc.record({
    kind: fc.constant('registration-revocation' as const),
    byHomeAgent: fc.boolean(),
    informs: fc.boolean(),
    homeAddress: address,
    homeDomainAddress: address,
    foreignDomainAddress: address,
    revocationIdentifier: uint32,
    extensions,
  }),
  fc.record({
    kind: fc.constant('revocation-acknowledgment' as const),
    informs: fc.boolean(),
    homeAddress: address,
    revocationIdentifier: uint32,
    extensions,
  }),
);

test('decodeMessage: gives back every message that encodeMessage wrote', () => {
  fc.assert(
    fc.property(message, (written) => {
      const octets = encodeMessage(written, association);
      const received = decodeMessage(octets);
      assert.ok(!(received instanceof Malformed));
      // Records of fast-check have no prototype.
      assert.deepEqual(plain(received.message), plain(written));
      assert.equal(received.malformed, undefined);
      assert.equal(isAuthentic(octets, received.authentication!, association), true);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('decodeMessage: never throws, whatever the octets', () => {
  const noise = fc.uint8Array({ maxLength: 200 });
  const damaged = fc
    .tuple(message, fc.array(fc.tuple(fc.nat(199), uint8), { maxLength: 4 }))
    .map(([written, changes]) => {
      const octets = encodeMessage(written, association);
      for (const [at, value] of changes) octets[at % octets.length] = value;
      return octets;
    });
  const typed = noise.map((octets) => Uint8Array.from([[1, 3, 7, 15][octets.length % 4]!, ...octets]));
  fc.assert(
    fc.property(fc.oneof(noise, damaged, typed), (octets) => {
      const received = decodeMessage(octets);
      if (!(received instanceof Malformed)) encodeMessage(received.message);
    }),
    { seed: 2, numRuns: 2000 },
  );
});

function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : (one as unknown)));
  return JSON.parse(text);
}
