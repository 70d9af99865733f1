/** The functions of the IMS core over TLS on real sockets: users reach the P-CSCF, and the CSCFs each other, by certificates. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { TraceEntry } from '../../src/base/trace.ts';
import { loadConfiguration } from '../../src/runtime/configuration/load-configuration.ts';
import type { Role } from '../../src/runtime/role.ts';
import { RoleHost, type RoleReport } from '../../src/runtime/role-host.ts';
import { correspondentNodeRole } from '../../src/runtime/roles/correspondent-node.ts';
import { homeSubscriberServerRole } from '../../src/runtime/roles/hss.ts';
import { interrogatingCscfRole } from '../../src/runtime/roles/i-cscf.ts';
import { proxyCscfRole } from '../../src/runtime/roles/p-cscf.ts';
import { servingCscfRole } from '../../src/runtime/roles/s-cscf.ts';

/** Addresses of the loopback network that no other test uses. */
const [proxy, interrogating, serving, hss] = ['127.77.5.1', '127.77.5.2', '127.77.5.3', '127.77.5.4'];
const certificates = fileURLToPath(new URL('../../../test/data/tls/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'trimaran-core-tls-'));
after(() => rmSync(folder, { recursive: true }));

/** The certificates are for proxy.test, which is the home domain here, and for peer.test. */
function tls(name: 'proxy' | 'peer', more = ''): string {
  const file = (path: string): string => `{ file: "${certificates}${path}" }`;
  return `tls: { certificate: ${file(`${name}.pem`)}, key: ${file(`${name}.key`)}, authorities: ${file('authority.pem')}${more} }`;
}

const diameter = (name: string): string =>
  `diameter: { identity: ${name}, realm: proxy.test, hss: [{ identity: hss.proxy.test, address: "${hss}:3868" }], reconnect: 100ms }`;

const configurations = {
  hss: `
listen: ${hss}:3868
identity: hss.proxy.test
realm: proxy.test
cscfs: [icscf.proxy.test, scscf.proxy.test]
subscribers:
  - { private-identity: alice@proxy.test, public-identities: ["sip:alice@proxy.test"], password: secret }
  - { private-identity: bob@proxy.test, public-identities: ["sip:bob@proxy.test"], password: secret }`,
  serving: `
sip: ${serving}:5060
name: sip:peer.test;transport=tls
realm: proxy.test
hosts: { proxy.test: "${interrogating}:5061;transport=tls" }
control: ${folder}/s-cscf.sock
${tls('peer')}
${diameter('scscf.proxy.test')}`,
  interrogating: `
sip: ${interrogating}:5060
domains: [proxy.test]
hosts: { peer.test: "${serving}:5061;transport=tls" }
s-cscfs: [{ name: "sip:peer.test;transport=tls" }]
control: ${folder}/i-cscf.sock
${tls('proxy')}
${diameter('icscf.proxy.test')}`,
  proxy: `
sip: ${proxy}:5060
visited-network: proxy.test
hosts: { proxy.test: "${interrogating}:5061;transport=tls" }
${tls('proxy')}`,
} as const;

function terminal(name: string, address: string): string {
  return `
sip: ${address}:5060
identity: { public: "sip:${name}@proxy.test", private: ${name}@proxy.test, password: secret, home-domain: proxy.test }
outbound-proxy: ${proxy}:5061
media: [{ media: audio, transport: udp, port: 40000 }]
control: ${folder}/${name}.sock
${tls('peer', ', server-name: proxy.test')}`;
}

test('p-cscf, i-cscf, s-cscf and correspondent-node with TLS: users register and call one another, each hop by certificate', async () => {
  const reports: RoleReport[] = [];
  const trace: TraceEntry[] = [];
  const host = new RoleHost({
    report: (report) => reports.push(report),
    trace: (entry) => trace.push(entry),
  });
  const start = <Configuration>(role: Role<Configuration>, text: string) => {
    const file = join(folder, 'role.yaml');
    writeFileSync(file, text);
    return role.start(loadConfiguration(file, role.schema), host);
  };
  const until = async (event: string, count: number): Promise<void> => {
    while (reports.filter((report) => report.event === event).length < count)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  start(homeSubscriberServerRole, configurations.hss);
  const functions = [
    start(servingCscfRole, configurations.serving),
    start(interrogatingCscfRole, configurations.interrogating),
  ];
  start(proxyCscfRole, configurations.proxy);
  const isConnected = ({ control }: (typeof functions)[number]) =>
    (control!.commands['status']!(request()) as { readonly isConnectedToHss: boolean }).isConnectedToHss;
  while (!functions.every(isConnected)) await new Promise((resolve) => setTimeout(resolve, 5));
  await until('socket-opened', 10);
  const alice = start(correspondentNodeRole, terminal('alice', '127.77.5.11'));
  start(correspondentNodeRole, terminal('bob', '127.77.5.12'));
  await until('registered', 2);
  alice.control!.commands['call']!(request({ to: 'sip:bob@proxy.test' }));
  await until('session-established', 2);
  const requests = trace.filter(
    ({ direction, summary }) => direction === 'received' && /^(REGISTER|INVITE)/.test(summary),
  );
  const ports = (node: string, method: string) => [
    ...new Set(
      requests
        .filter((entry) => entry.node === node && entry.summary.startsWith(method))
        .map(({ to }) => to.replace(/^.*:/, '')),
    ),
  ];
  for (const node of ['p-cscf', 'i-cscf', 's-cscf'])
    assert.deepEqual(ports(node, 'REGISTER'), ['5061'], `REGISTER came to the ${node} by TLS`);
  assert.deepEqual(ports('p-cscf', 'INVITE sip:bob@proxy.test'), ['5061']);
  assert.deepEqual(ports('i-cscf', 'INVITE'), ['5061']);
  await host.close();
});

function request(parameters: Readonly<Record<string, unknown>> = {}) {
  return { parameters, sendEvent: () => {}, signal: new AbortController().signal };
}
