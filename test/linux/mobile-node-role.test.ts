/**
 * The roles `mobile-node` and `home-agent` as processes, each in a network namespace of its own, with a correspondent on the home link and two
 * accesses between them (tunnel-network.ts). The programs on the mobile node know nothing of any of it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { MobileIpLab } from './mobile-ip-lab.ts';
import { transferOverTcp } from './tcp-transfer.ts';
import { accesses, correspondent, homeAddress } from './tunnel-network.ts';
import { tunnelTest } from './tunnel-test.ts';

tunnelTest(
  'trimaran mobile-node: TCP of a program that binds nothing has the home address, and survives ten handovers',
  async () => {
    const lab = await MobileIpLab.open();
    const transfer = transferOverTcp(
      { namespaceFd: lab.topology.namespaceOf('mn').fd, local: { address: '0.0.0.0', port: 0 } },
      { namespaceFd: lab.topology.namespaceOf('cn').fd, local: { address: correspondent, port: 5201 } },
      200 * 65_536,
      20,
    );
    const client = await ControlClient.connect(lab.control);
    for (let count = 1; count <= 10; count++) {
      await client.request('handover', { to: accesses[count % 2] });
      await lab.handovers(count + 1);
    }
    const { sent, received } = await transfer;
    assert.equal(received.digest, sent.digest);
    assert.equal(received.remoteAddress, homeAddress);
    const status = (await client.request('status')) as { accesses: { name: string; isCurrent: boolean }[] };
    assert.equal(status.accesses.find(({ isCurrent }) => isCurrent)?.name, 'umts');
    client.close();
    const why = ['dist/src/cli/main.js', 'why', '--control', lab.control];
    const { stdout } = spawnSync(process.execPath, why, { encoding: 'utf8' });
    assert.match(
      stdout,
      /^Now: on umts\.\n {2}access verdict\n.*\n\d+\.\d s ago: wlan → umts\.\n.*a person's wish/s,
    );
    await lab.close();
  },
);

tunnelTest('trimaran mobile-node: a connection from outside reaches the home address', async () => {
  const lab = await MobileIpLab.open();
  const { sent, received } = await transferOverTcp(
    { namespaceFd: lab.topology.namespaceOf('cn').fd, local: { address: correspondent, port: 0 } },
    { namespaceFd: lab.topology.namespaceOf('mn').fd, local: { address: homeAddress, port: 22 } },
    1_000_000,
  );
  assert.equal(received.digest, sent.digest);
  assert.equal(received.remoteAddress, correspondent);
  await lab.close();
});

tunnelTest(
  'trimaran mobile-node: leaves the kernel as it was, also what one that was killed had left',
  async () => {
    const lab = await MobileIpLab.open();
    assert.notDeepEqual(lab.stateOfNode(), lab.before);
    await lab.node.kill();
    await lab.startNode();
    await lab.stopNode();
    assert.deepEqual(lab.stateOfNode(), lab.before);
    await lab.close();
  },
);

// The last one: no TUN device is there any more afterwards.
tunnelTest('trimaran mobile-node: says so and what would help where there is no TUN device', async () => {
  const lab = await MobileIpLab.open();
  await lab.stopNode();
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', '/dev/net']).status, 0);
  const entry = 'dist/src/cli/main.js';
  const args = [
    '--netns',
    lab.topology.namespaceOf('mn').path,
    'mobile-node',
    '-c',
    lab.configuration,
    '--json',
  ];
  const { status, stderr } = spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8' });
  const { error } = JSON.parse(stderr);
  assert.deepEqual([status, error.code], [1, 'NO_TUN_DEVICE']);
  assert.match(error.remedy, /modprobe tun/);
  assert.deepEqual(lab.stateOfNode(), lab.before);
  const doctor = JSON.parse(
    spawnSync(process.execPath, [entry, 'doctor', '--json'], { encoding: 'utf8' }).stdout,
  );
  const finding = doctor.findings.find(({ name }: { name: string }) => name === '/dev/net/tun');
  assert.deepEqual(
    [finding.isPresent, finding.remedy],
    [false, 'Load the kernel module tun: sudo modprobe tun'],
  );
  await lab.close();
});
