/**
 * The mobile node's access dies while a telephone rings (between 180 and 200), on the real kernel with unmodified softphones (baresip of
 * Debian) on both sides: one ring only, the call is answered over the other access, and each hears the other.
 */
import assert from 'node:assert/strict';
import { internalAddress, labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { irregularCounts, readCounts } from './counting-audio.ts';
import { InteropLab, pause } from './interop-lab.ts';
import { Softphone } from './softphone.ts';

interface Party {
  readonly phone: Softphone;
  readonly identity: string;
  readonly countingStep: number;
}

kernelTest(
  'softphones: the access dies while it rings, each side calls once: one ring, answered over the other access',
  async () => {
    const lab = await InteropLab.start();
    const [mobile, correspondent] = await Promise.all([startMobile(lab), startCorrespondent(lab)]);
    await call(lab, mobile, correspondent, 'INVITE with Target-Dialog');
    const told = lab.mobileEvents.length;
    lab.topology.link('wlan').setUp(true);
    await lab.untilMobileEvent(({ event, to }) => event === 'handover-completed' && to === 'wlan', told);
    await call(lab, correspondent, mobile, 'UPDATE');
    await Promise.all([mobile.phone.quit(), correspondent.phone.quit()]);
    await lab.close();
  },
  { packages: { 'baresip-core': '/usr/bin/baresip' } },
);

async function startMobile(lab: InteropLab): Promise<Party> {
  const [identity, countingStep] = [mobileIdentity, 1];
  const phone = await Softphone.start({
    topology: lab.topology,
    node: 'mn',
    folder: lab.folder('mobile'),
    identity,
    sip: { address: internalAddress, port: 5062 },
    outboundProxy: `${internalAddress}:5070`,
    transport: 'udp',
    rings: true,
    countingStep,
  });
  return { phone, identity, countingStep };
}

async function startCorrespondent(lab: InteropLab): Promise<Party> {
  const [identity, countingStep] = [correspondentIdentity, 3];
  const phone = await Softphone.start({
    topology: lab.topology,
    node: 'cn',
    folder: lab.folder('correspondent'),
    identity,
    sip: { address: labAddresses.correspondentNode, port: 5060 },
    outboundProxy: `${labAddresses.proxyCscf}:5060`,
    transport: 'udp',
    rings: true,
    countingStep,
  });
  return { phone, identity, countingStep };
}

async function call(lab: InteropLab, caller: Party, called: Party, method: string): Promise<void> {
  const parties = [caller, called];
  const [toldCaller, toldCalled] = [caller.phone.events.length, called.phone.events.length];
  const toldMobile = lab.mobileEvents.length;
  caller.phone.command('dial', called.identity);
  await Promise.all([
    caller.phone.until('CALL_RINGING', toldCaller),
    called.phone.until('CALL_INCOMING', toldCalled),
  ]);
  lab.topology.link('wlan').setUp(false);
  const moved = await lab.untilMobileEvent(({ event }) => event === 'session-moved', toldMobile);
  assert.equal(moved['method'], method);
  called.phone.command('accept');
  await caller.phone.until('CALL_ESTABLISHED', toldCaller);
  await called.phone.until('CALL_ESTABLISHED', toldCalled);
  await pause(1000);
  caller.phone.command('hangup');
  await caller.phone.until('CALL_CLOSED', toldCaller);
  await called.phone.until('CALL_CLOSED', toldCalled);

  const rings = (party: Party, from: number) =>
    party.phone.events.slice(from).filter(({ type }) => /^CALL_(RINGING|INCOMING)$/.test(type));
  assert.deepEqual([rings(caller, toldCaller).length, rings(called, toldCalled).length], [1, 1]);
  for (const party of parties) {
    const other = party === caller ? called : caller;
    const counts = readCounts(party.phone.recording);
    assert.ok(counts.length > 25, `${counts.length} windows with tone`);
    assert.deepEqual(irregularCounts(counts, other.countingStep), []);
  }
}
