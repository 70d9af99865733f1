/**
 * Linphone's console program (linphonec of Debian) as the telephone of the mobile node and of the correspondent, each as caller and as called:
 * it registers, calls or is called, speaks and hears, is moved twice without a message or a lost packet, and hangs up.
 */
import assert from 'node:assert/strict';
import { internalAddress, labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { assertUninterrupted, isAccess, sipFrames, startCaptures } from './call-captures.ts';
import { rtpStreams } from './captured-frames.ts';
import { irregularCounts, readCounts } from './counting-audio.ts';
import { InteropLab, pause } from './interop-lab.ts';
import { Linphone } from './linphone.ts';

const countingSteps = { mobile: 1, correspondent: 3 } as const;

interface Party {
  readonly phone: Linphone;
  readonly identity: string;
}

kernelTest(
  'linphone: each side calls the other, neither hears anything of two handovers, and the caller hangs up',
  async () => {
    const lab = await InteropLab.start();
    const [mobile, correspondent] = await Promise.all([startMobile(lab), startCorrespondent(lab)]);
    await call(lab, mobile, correspondent);
    await call(lab, correspondent, mobile);
    await Promise.all([mobile.phone.quit(), correspondent.phone.quit()]);
    assertHeard(mobile.phone, countingSteps.correspondent);
    assertHeard(correspondent.phone, countingSteps.mobile);
    await lab.close();
  },
  { packages: { 'linphone-cli': '/usr/bin/linphonec' } },
);

/** TCP only: then the phone can be reached no other way. */
async function startMobile(lab: InteropLab): Promise<Party> {
  const phone = await Linphone.start({
    topology: lab.topology,
    node: 'mn',
    folder: lab.folder('mobile'),
    identity: mobileIdentity,
    sip: { address: internalAddress, port: 5062 },
    outboundProxy: `${internalAddress}:5070`,
    transport: 'tcp',
    countingStep: countingSteps.mobile,
  });
  return { phone, identity: mobileIdentity };
}

async function startCorrespondent(lab: InteropLab): Promise<Party> {
  const phone = await Linphone.start({
    topology: lab.topology,
    node: 'cn',
    folder: lab.folder('correspondent'),
    identity: correspondentIdentity,
    sip: { address: labAddresses.correspondentNode, port: 5060 },
    outboundProxy: `${labAddresses.proxyCscf}:5060`,
    transport: 'udp',
    countingStep: countingSteps.correspondent,
  });
  return { phone, identity: correspondentIdentity };
}

async function call(lab: InteropLab, caller: Party, called: Party): Promise<void> {
  const phones = [caller.phone, called.phone];
  const captures = await startCaptures(lab);
  const untilAll = async (words: RegExp, act: () => void) => {
    const from = phones.map(({ output }) => output.length);
    act();
    await Promise.all(phones.map((phone, index) => phone.until(words, from[index])));
  };
  await untilAll(/Media streams established/, () => caller.phone.command(`call ${called.identity}`));
  await pause(1000);
  const startedAt = Date.now();
  await lab.handOver(2, 300);
  const endedAt = Date.now() - 100;
  await untilAll(/ended/, () => caller.phone.command('terminate'));

  const { atCorrespondent, atAccesses, atApplications } = await captures.finish();
  for (const frames of [atCorrespondent, atApplications]) {
    const all = sipFrames(frames);
    assert.ok(all.length > 5, `${all.length} SIP messages in the whole call`);
    const ofHandovers = all.filter(({ epochMs }) => epochMs > startedAt && epochMs < endedAt);
    assert.deepEqual(ofHandovers, []);
  }
  assertUninterrupted(rtpStreams(atCorrespondent), 50);
  assertUninterrupted(
    rtpStreams(atAccesses, (end) => (isAccess(end) ? 'phone' : end)),
    50,
  );
}

/** The other's sound, of both calls. What its jitter buffer makes of it on a busy machine is Linphone's affair: the captures hold every packet. */
function assertHeard({ recording }: Linphone, step: number): void {
  const counts = readCounts(recording);
  const irregular = irregularCounts(counts, step);
  assert.ok(counts.length - irregular.length > 20, `${irregular.length} of ${counts.length} irregular`);
}
