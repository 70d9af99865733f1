/** Calls behind Debian's Kamailio that a move meets in the middle, or that have to do without the application server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { kamailioPackages } from '../../src/testbed/kamailio/kamailio-cscf.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { identityOf } from '../../src/testbed/role-configurations.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { InteropLab } from './interop-lab.ts';
import { type Side, Terminal } from './terminal.ts';

const kamailio = { 'p-cscf': 'kamailio', 'i-cscf': 'kamailio', 's-cscf': 'kamailio' } as const;
const trimaran = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const needs = { packages: { [kamailioPackages]: '/usr/sbin/kamailio' } };

for (const caller of ['mobile', 'correspondent'] as const)
  kernelTest(
    `kamailio: a move between 180 and 200 when the ${caller} calls: one ring, answered, moved to the other P-CSCF`,
    () => moveWhileRinging(caller),
    needs,
  );

kernelTest(
  'kamailio: an application server that falls silent: calls in both directions come about without it (DefaultHandling 0)',
  async () => {
    const lab = await InteropLab.start({ core: kamailio });
    const options = { authentication: 'sip-digest', withReservation: false, rtpPort: 40_000 } as const;
    const mobile = await Terminal.start(lab, 'mobile', options);
    const correspondent = await Terminal.start(lab, 'correspondent', options);
    lab.network.signal('trim-as', 'SIGSTOP');
    for (const [caller, callee] of [
      [mobile, correspondent],
      [correspondent, mobile],
    ] as const) {
      await caller.call(callee);
      const [seen] = await Promise.all([mobile.established(), correspondent.established()]);
      assert.equal(seen.address, labAddresses.correspondentNode, 'no translator');
      await caller.hangUp();
      await callee.ended();
    }
    lab.network.signal('trim-as', 'SIGCONT');
    await Promise.all([mobile.program.stop(), correspondent.program.stop()]);
    await lab.close();
  },
  needs,
);

kernelTest(
  'kamailio: "trimaran doctor ims" finds every hop of the foreign core at work',
  async () => {
    const lab = await InteropLab.start({ core: kamailio });
    const file = join(lab.folder('doctor'), 'doctor-ims.yaml');
    const user = (identity: string, port: number) => ({
      sip: `${labAddresses.correspondentNode}:${port}`,
      identity: identityOf(identity, { authentication: 'sip-digest' }),
    });
    const configuration = {
      control: lab.applicationServerControl,
      'application-server': `${labAddresses.trimApplicationServer}:5060`,
      'p-cscf': `${labAddresses.proxyCscf}:5060`,
      subscriber: user(mobileIdentity, 5080),
      peer: user(correspondentIdentity, 5082),
    };
    writeFileSync(file, stringify(configuration), { mode: 0o600 });
    const doctor = lab.topology.spawn('cn', process.execPath, [trimaran, 'doctor', 'ims', '-c', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let report = '';
    doctor.stdout?.on('data', (octets) => {
      report += octets;
    });
    const [status] = await once(doctor, 'close');
    assert.equal(status, 0, report);
    await lab.close();
  },
  needs,
);

async function moveWhileRinging(caller: Side): Promise<void> {
  const lab = await InteropLab.start({ core: kamailio, proxyCscfs: 'per-access' });
  const options = {
    authentication: 'sip-digest',
    withReservation: false,
    rtpPort: 40_000,
    ring: '3s',
  } as const;
  const terminals: Readonly<Record<Side, Terminal>> = {
    mobile: await Terminal.start(lab, 'mobile', options),
    correspondent: await Terminal.start(lab, 'correspondent', options),
  };
  const callee = terminals[caller === 'mobile' ? 'correspondent' : 'mobile'];
  await terminals[caller].call(callee);
  const heard = (terminal: Terminal, what: string) =>
    terminal.dialogue().filter((line) => line.startsWith(`received ${what}`)).length;
  await terminals[caller].program.until(() => heard(terminals[caller], '180') > 0, '180');
  await lab.network.requestHandover('3g');
  await lab.untilMobileEvent(({ event, to }) => event === 'handover-completed' && to === '3g');
  assert.equal(heard(terminals[caller], '200 OK (INVITE)'), 0, 'nobody has answered yet');
  await Promise.all([terminals.mobile.established(), terminals.correspondent.established()]);
  const moved = await lab.untilMobileEvent(({ event }) => event === 'session-moved');
  assert.equal(moved['access'], '3g');
  assert.deepEqual([heard(terminals[caller], '180'), heard(callee, 'INVITE')], [1, 1]);
  await terminals[caller].hangUp();
  await callee.ended();
  await Promise.all([terminals.mobile.program.stop(), terminals.correspondent.program.stop()]);
  await lab.close();
}
