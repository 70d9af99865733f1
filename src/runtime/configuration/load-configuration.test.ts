import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { z } from 'zod';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { duration, ipAddress, secret, transportAddress } from './configuration-values.ts';
import { loadConfiguration } from './load-configuration.ts';
import { hostTable } from './sip-values.ts';

const schema = z.strictObject({
  listen: transportAddress,
  'internal-address': ipAddress.optional(),
  'grace-time': duration.default(5000),
  transport: z.enum(['udp', 'tcp']).default('udp'),
  names: hostTable.optional(),
  users: z
    .array(z.strictObject({ name: z.string(), password: secret, age: z.number().int().optional() }))
    .default([]),
});

test('loadConfiguration gives checked values', () => {
  const value = load(`
listen: "[2001:DB8:0::1]:5060"
internal-address: 10.64.0.1
grace-time: 250ms
names: { Home.Example: "192.0.2.1:5060", safe.example: "[2001:db8::2]:5061;transport=tls" }
users:
  - { name: bob, password: { file: bob.secret } }
  - { name: alice, password: inline }
`);
  assert.deepEqual(value.listen, { address: '2001:db8::1', port: 5060 });
  assert.deepEqual(
    [value['internal-address'], value['grace-time'], value.transport],
    ['10.64.0.1', 250, 'udp'],
  );
  assert.deepEqual(
    [...(value.names ?? [])],
    [
      ['home.example', { address: '192.0.2.1', port: 5060 }],
      ['safe.example', { address: '2001:db8::2', port: 5061, transport: 'tls' }],
    ],
  );
  assert.deepEqual(
    value.users.map((user) => user.password.reveal()),
    ['of bob', 'inline'],
  );
});

test('loadConfiguration tells all that is wrong at once, with line, column and what was meant', () => {
  const text = `listen: 192.0.2.1
gracetime: 5s
grace-time: 5
transport: tpc
users:
  - name: bob
    pasword: x
  - name: [bob]
    password: { path: x }
    age: 1.5
internal-address: 10.64.0.256
names:
  home.example: 192.0.2.1:99999
`;
  assert.equal(
    refusal(text),
    `FILE:1:9: listen: "192.0.2.1" is not an address with a port, such as 192.0.2.1:5060 or [2001:db8::1]:5060
FILE:2:1: gracetime: unknown key (did you mean "grace-time"?)
FILE:3:13: grace-time: a duration is written with its unit, such as 5s, 250ms, 2min or 1h
FILE:4:12: transport: must be udp or tcp (did you mean "tcp"?)
FILE:6:5: users[0].password: is missing
FILE:7:5: users[0].pasword: unknown key (did you mean "password"?)
FILE:8:11: users[1].name: expected string, received array
FILE:9:15: users[1].password: a secret is text, or { file: PATH }
FILE:10:10: users[1].age: expected int, received number
FILE:11:19: internal-address: "10.64.0.256" is not an IP address, such as 192.0.2.1 or 2001:db8::1
FILE:13:17: names.home.example: "192.0.2.1:99999" is not an address with a port, such as 192.0.2.1:5060 or [2001:db8::1]:5060`,
  );
});

test('loadConfiguration says where the YAML itself is broken, and which key stands twice', () => {
  assert.equal(
    refusal('listen: [1, 2\n'),
    'FILE:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
  );
  assert.equal(refusal('listen: 192.0.2.1:1\nlisten: 192.0.2.1:2\n'), 'FILE:2:1: Map keys must be unique');
  assert.equal(refusal(''), 'FILE:1:1: listen: is missing');
});

test('loadConfiguration says that a file, or the file of a secret, cannot be read', () => {
  assert.throws(
    () => loadConfiguration('/nowhere/trimaran.yaml', schema),
    (error) => error instanceof TrimaranError && error.code === 'CONFIGURATION_UNREADABLE',
  );
  const text = 'listen: 192.0.2.1:1\nusers: [{ name: bob, password: { file: missing } }]\n';
  assert.match(refusal(text), /^FILE:2:32: users\[0\]\.password: ENOENT: no such file/);
});

test('Secret is not shown by text, JSON or inspection', () => {
  const { users } = load('listen: 192.0.2.1:1\nusers: [{ name: bob, password: hunter2 }]');
  const shown = `${users[0]?.password} ${JSON.stringify(users)} ${inspect(users)}`;
  assert.ok(!shown.includes('hunter2'), shown);
});

function load(text: string): z.output<typeof schema> {
  return inFile(text, (file) => loadConfiguration(file, schema));
}

/** The message of the refusal, with FILE for the path. */
function refusal(text: string): string {
  return inFile(text, (file) => {
    try {
      loadConfiguration(file, schema);
    } catch (error) {
      assert.ok(error instanceof TrimaranError && error.code === 'CONFIGURATION_INVALID', String(error));
      return error.message.replaceAll(file, 'FILE');
    }
    return assert.fail('the configuration was accepted');
  });
}

function inFile<Result>(text: string, use: (file: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-configuration-'));
  try {
    writeFileSync(join(folder, 'role.yaml'), text);
    writeFileSync(join(folder, 'bob.secret'), 'of bob\n');
    return use(join(folder, 'role.yaml'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
