import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect } from 'node:tls';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../base/network.ts';
import { Host, type SocketEvent } from './host.ts';
import { certifiedNames, type TlsCredentials } from './tls-security.ts';

const authorities = read('authority.pem');
const proxy = { certificate: read('proxy.pem'), key: read('proxy.key'), authorities };
const peer = { certificate: read('peer.pem'), key: read('peer.key'), authorities };

test('Host carries a byte stream by TLS, and tells the names that the certificates of both sides prove', async () => {
  const server = await listening(proxy);
  const client = new TestHost(peer);
  client.host.perform(connectTo(server.local, 'proxy.test'));
  assert.equal((await client.next('connection-established')).kind, 'connection-established');
  const accepted = await server.next('connection-accepted');
  assert.deepEqual(accepted.peerNames, ['peer.test', 'peer.test', '127.0.0.1']);
  client.host.perform({ kind: 'transmit', transport: 'tcp', connection: 'o1', payload: Buffer.from('ping') });
  assert.equal(Buffer.from((await server.next('stream-received')).payload).toString(), 'ping');
  const { connection } = accepted;
  server.host.perform({ kind: 'transmit', transport: 'tcp', connection, payload: Buffer.from('pong') });
  assert.equal(Buffer.from((await client.next('stream-received')).payload).toString(), 'pong');
  client.host.perform({ kind: 'close', connection: 'o1' });
  assert.equal((await server.next('connection-closed')).connection, connection);
  for (const { host } of [client, server]) host.close();
});

test('Host trusts no server whose certificate is for another name, has a wildcard for it, or comes from nowhere', async () => {
  const server = await listening(proxy);
  for (const [name, credentials] of [
    ['other.test', peer],
    ['a.wild.test', peer],
    ['proxy.test', { certificate: peer.certificate, key: peer.key }],
  ] as const) {
    const client = new TestHost(credentials);
    client.host.perform(connectTo(server.local, name));
    assert.match((await client.next('connection-closed')).reason, /not for|certificate/);
    client.host.close();
  }
  assert.equal(
    server.inputs.some((input) => input.kind === 'stream-received'),
    false,
  );
  server.host.close();
});

test('Host lets a client without certificate in, and knows no name of it', async () => {
  const server = await listening(proxy);
  const socket = connect({
    host: '127.0.0.1',
    port: server.local.port,
    ca: authorities,
    servername: 'proxy.test',
  });
  assert.deepEqual((await server.next('connection-accepted')).peerNames, []);
  socket.destroy();
  server.host.close();
});

test('Host says what is missing when it is to listen by TLS without a certificate', async () => {
  const events: SocketEvent[] = [];
  const host = new Host({ deliver: () => {}, onSocketEvent: (event) => events.push(event) });
  host.perform({ kind: 'listen', transport: 'tls', local: { address: '127.0.0.1', port: 5061 } });
  assert.deepEqual(
    events.map(({ kind, transport }) => [kind, transport]),
    [['socket-failed', 'tls']],
  );
  assert.match(events[0]!.reason, /certificate/);
});

test('certifiedNames: SIP URIs of domains and DNS names count, users, wildcards and the common name do not (RFC 5922 §7.1)', () => {
  const certificate = (subjectaltname: string) => ({ subjectaltname, subject: { CN: 'cn.test' } }) as never;
  const text =
    'URI:sip:A.test, DNS:b.test, URI:sip:bob@c.test, DNS:*.d.test, URI:http://e.test, IP Address:192.0.2.1';
  assert.deepEqual(certifiedNames(certificate(text)), ['a.test', 'b.test', '192.0.2.1']);
});

class TestHost {
  readonly inputs: NetworkInput[] = [];
  readonly host: Host;
  readonly #taken = new Set<NetworkInput>();

  constructor(tls: TlsCredentials, onSocketEvent?: (event: SocketEvent) => void) {
    this.host = new Host({
      deliver: (input) => this.inputs.push(input),
      tls,
      ...(onSocketEvent && { onSocketEvent }),
    });
  }

  async next<Kind extends NetworkInput['kind']>(kind: Kind): Promise<Extract<NetworkInput, { kind: Kind }>> {
    for (let attempt = 0; attempt < 500; attempt++) {
      const found = this.inputs.find((input) => input.kind === kind && !this.#taken.has(input));
      if (found !== undefined) {
        this.#taken.add(found);
        return found as Extract<NetworkInput, { kind: Kind }>;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no ${kind}: ${JSON.stringify(this.inputs)}`);
  }
}

async function listening(tls: TlsCredentials): Promise<TestHost & { local: TransportAddress }> {
  const local = { address: '127.0.0.1', port: 20_000 + (process.pid % 20_000) };
  for (;;) {
    const opened: string[] = [];
    const host = new TestHost(tls, ({ kind }) => opened.push(kind));
    host.host.perform({ kind: 'listen', transport: 'tls', local: { ...local } });
    while (opened.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (opened[0] === 'socket-opened') return Object.assign(host, { local: { ...local } });
    host.host.close();
    local.port++;
  }
}

function connectTo(remote: TransportAddress, serverName: string): NetworkOutput {
  return { kind: 'connect', connection: 'o1', remote, tls: { serverName } };
}

function read(name: string): string {
  return readFileSync(`test/data/tls/${name}`, 'utf8');
}
