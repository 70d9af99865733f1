/**
 * Connection reuse between a mobile node and its P-CSCF (RFC 5923): requests to the node come over the TLS connection that the node has opened,
 * also those that no registration leads to it; and no other client can draw them to its own connection.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Machine } from '../../src/base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import { ImsCoreLab } from './ims-core-lab.ts';

const node = '10.0.0.10';
const nodesVia = `SIP/2.0/TLS ${node}:5061;branch=z9hG4bK1;alias`;

test('P-CSCF: a request to a mobile node takes the TLS connection that it opened and calls its own (RFC 5923 §5)', () => {
  const { core, client, connections } = attach({ via: nodesVia, certificate: [node] });
  core.inject('10.0.1.1', bye);
  core.run(100);
  assert.match(client.received, /\r\n\r\nBYE sip:mn@10\.0\.0\.10:5061;transport=tls SIP/);
  assert.equal(core.network.connections, connections);
});

for (const [what, attempt] of [
  ['without a certificate', { via: nodesVia, certificate: [] }],
  ['whose certificate is for another name', { via: nodesVia, certificate: ['mn.home1.net'] }],
  ['that does not ask for it', { via: nodesVia.replace(';alias', ''), certificate: [node] }],
  ['with a certificate of its own', { via: nodesVia, certificate: ['10.0.0.66'], address: '10.0.0.66' }],
  // As a certification authority that is deceived would make it: the address is not the one that requests go to.
  [
    'with the certificate of the node, elsewhere',
    { via: nodesVia, certificate: [node], address: '10.0.0.66' },
  ],
  ['with another port', { via: nodesVia.replace(':5061', ':5071'), certificate: [node] }],
  ['over plain TCP', { via: nodesVia.replace('TLS', 'TCP'), certificate: [node], isPlain: true }],
] as const)
  test(`P-CSCF: requests to a mobile node do not take the connection of a client ${what}: one of their own is opened`, () => {
    const { core, client, connections } = attach(attempt);
    core.inject('10.0.1.1', bye);
    core.run(100);
    assert.doesNotMatch(client.received, /BYE/);
    assert.equal(core.network.connections, connections + 1);
  });

/** Within a dialog of the node, along the route, to a contact that nobody has registered. */
const bye = [
  'BYE sip:mn@10.0.0.10:5061;transport=tls SIP/2.0',
  'Via: SIP/2.0/UDP 10.0.9.9;branch=z9hG4bKbye',
  'Route: <sip:mt@10.0.1.1;lr>',
  'From: <sip:cn@home1.net>;tag=2',
  'To: <sip:mn@home1.net>;tag=1',
  'Call-ID: alias',
  'CSeq: 2 BYE',
  'Max-Forwards: 9\r\n\r\n',
].join('\r\n');

interface Attempt {
  readonly via: string;
  /** Names in the client's certificate. */
  readonly certificate: readonly string[];
  readonly address?: string;
  readonly isPlain?: boolean;
}

/** A client that has opened a connection to the P-CSCF, sent a request and been answered. */
function attach({ via, certificate, address = node, isPlain = false }: Attempt) {
  const core = new ImsCoreLab({ subscribers: [], listensByTls: true });
  const { certificates } = core.network;
  certificates.set('10.0.1.1', ['pcscf.home1.net']).set(address, certificate);
  const client = new StreamClient(address, isPlain);
  core.network.add(client, () => {});
  core.run(100);
  const fields = [
    'From: <sip:mn@home1.net>;tag=1',
    'To: <sip:mn@home1.net>',
    'Call-ID: alias',
    'CSeq: 1 OPTIONS',
  ];
  client.send(
    ['OPTIONS sip:mn@home1.net SIP/2.0', `Via: ${via}`, ...fields, 'Content-Length: 0\r\n\r\n'].join('\r\n'),
  );
  core.run(100);
  assert.match(client.received, /^SIP\/2\.0 403 /);
  return { core, client, connections: core.network.connections };
}

/** Opens one connection and sends what the test says: no user agent of ours would lie so. */
class StreamClient implements Machine<NetworkInput, NetworkOutput> {
  received = '';
  readonly #outputs: NetworkOutput[];

  constructor(address: string, isPlain: boolean) {
    const local = { address, port: 0 };
    const remote = { address: '10.0.1.1', port: isPlain ? 5060 : 5061 };
    const connect = { kind: 'connect', connection: 'own', local, remote } as const;
    this.#outputs = [isPlain ? connect : { ...connect, tls: { serverName: 'pcscf.home1.net' } }];
  }

  send(text: string): void {
    const payload = Buffer.from(text, 'latin1');
    this.#outputs.push({ kind: 'transmit', transport: 'tcp', connection: 'own', payload });
  }

  handleInput(input: NetworkInput): void {
    if (input.kind === 'stream-received') this.received += Buffer.from(input.payload).toString('latin1');
  }

  handleTimeout(): void {}

  pollTimeout(): undefined {
    return undefined;
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}
