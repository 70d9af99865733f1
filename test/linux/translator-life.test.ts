import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../src/drivers/linux/netlink-socket.ts';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { tableNames } from './nftables-tables.ts';
import { kernelTest } from './own-namespace.ts';
import { isInUserNamespace } from './user-namespace.ts';

const options = { instance: 'life', placement: 'home', addresses: ['198.51.100.1'] } as const;
const modulePath = new URL('../../src/drivers/linux/nftables-translator.js', import.meta.url);

kernelTest('NftablesTranslator: leaves neither tables nor changed kernel parameters behind', () => {
  const before = kernelState();
  const translator = NftablesTranslator.open(options);
  assert.notDeepEqual(kernelState(), before);
  translator.close();
  assert.deepEqual(kernelState(), before);
});

kernelTest('NftablesTranslator: after a SIGKILL translation goes on, and the next one cleans up', () => {
  const before = kernelState();
  const script = `
    const { NftablesTranslator } = await import('${modulePath}');
    NftablesTranslator.open(${JSON.stringify(options)});
    process.kill(process.pid, 'SIGKILL');
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(run.signal, 'SIGKILL', run.stderr);
  assert.deepEqual(tables(), ['trimaran-life', 'trimaran-life']);
  NftablesTranslator.open(options).close();
  assert.deepEqual(kernelState(), before);
});

/** A mobile node's flow that changes to IPv6. */
const toIpv6 = `
  translator.apply([
    { kind: 'define-version', mark: 1, family: 6, protocol: 'udp', rewrite: { source: '2001:db8:2::2', destination: '2001:db8:f::1' } },
    { kind: 'select-version', mark: 1, key: { family: 4, protocol: 'udp', source: '10.64.0.1', destination: '198.51.100.2', port: 9, portOf: 'destination' } },
  ]);`;
const mobileNode = { instance: 'life', placement: 'mobile-node', addresses: ['10.64.0.1'] } as const;

for (const [end, signal] of [
  ['translator.close(); process.exit()', null],
  ["process.kill(process.pid, 'SIGKILL')", 'SIGKILL'],
] as const)
  kernelTest(
    `NftablesTranslator: the way to the other version of IP leaves nothing behind (${signal ?? 'closed'})`,
    () => {
      const before = kernelState();
      const script = `
      const { NftablesTranslator } = await import('${modulePath}');
      const { readFileSync } = await import('node:fs');
      const translator = NftablesTranslator.open(${JSON.stringify(mobileNode)});
      ${toIpv6}
      console.log(readFileSync('/proc/sys/net/ipv6/conf/all/forwarding', 'utf8').trim());
      ${end};`;
      const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      assert.equal(run.signal, signal, run.stderr);
      assert.equal(run.stdout.trim(), '1', run.stderr);
      if (signal !== null) assert.notDeepEqual(kernelState(), before);
      NftablesTranslator.open(mobileNode).close();
      assert.deepEqual(kernelState(), before);
    },
  );

kernelTest('NftablesTranslator: a failed opening leaves nothing behind', () => {
  const before = kernelState();
  const first = NftablesTranslator.open({ ...options, instance: 'first', logGroup: 7 });
  assert.throws(() => NftablesTranslator.open({ ...options, logGroup: 7 }), { code: 'EPERM' });
  assert.deepEqual(tables(), ['trimaran-first', 'trimaran-first']);
  first.close();
  assert.deepEqual(kernelState(), before);
  assert.throws(() => NftablesTranslator.open({ ...options, instance: 'no name' }), {
    code: 'TRANSLATOR_OPTIONS',
  });
});

kernelTest(
  'NftablesTranslator: an ordinary user has all of it in a user namespace, thousands of flows at a time too',
  () => {
    const script = `
    const { NftablesTranslator } = await import('${modulePath}');
    const translator = NftablesTranslator.open(${JSON.stringify(options)});
    const flows = Array.from({ length: 5000 }, (_, index) => index + 1);
    const version = { family: 4, protocol: 'udp', rewrite: { sourcePort: 1, destinationPort: 1 } };
    const key = { family: 4, protocol: 'udp', source: '10.1.0.2', destination: '198.51.100.1', portOf: 'destination' };
    translator.apply(flows.map((mark) => ({ kind: 'define-version', mark, ...version })));
    translator.apply(flows.map((port) => ({ kind: 'select-version', key: { ...key, port }, mark: port })));
    console.log(process.getuid(), translator.readDropped());
    translator.close();
  `;
    const unshare = [
      '--user',
      '--map-root-user',
      '--net',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ];
    const nobody = process.getuid?.() === 0 && !isInUserNamespace() ? { uid: 65534, gid: 65534 } : {};
    const run = spawnSync('unshare', unshare, { encoding: 'utf8', timeout: 20_000, ...nobody });
    assert.equal(run.stdout.trim(), '0 0', run.stderr);
  },
);

function tables(): string[] {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    return tableNames(socket);
  } finally {
    socket.close();
  }
}

/** Tables, and every parameter of IP. */
function kernelState(): { tables: string[]; parameters: Record<string, string> } {
  const parameters: Record<string, string> = {};
  for (const family of ['ipv4', 'ipv6']) {
    for (const name of readdirSync(`/proc/sys/net/${family}`, { recursive: true, encoding: 'utf8' })) {
      if (/rp_filter|send_redirects|accept_local|accept_ra$|forward/.test(name)) {
        parameters[`${family}/${name}`] = readFileSync(`/proc/sys/net/${family}/${name}`, 'utf8');
      }
    }
  }
  return { tables: tables(), parameters };
}
