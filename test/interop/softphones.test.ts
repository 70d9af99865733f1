/**
 * Two unmodified softphones (baresip of Debian) in a call that moves ten times between WLAN and 3G: neither hears of it, in SIP, in
 * addresses, or in sound. The one on the mobile node knows nothing but its outbound proxy, 10.64.0.1:5070.
 */
import assert from 'node:assert/strict';
import { kamailioPackages } from '../../src/testbed/kamailio/kamailio-cscf.ts';
import { internalAddress, labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import type { ImsSettings } from '../../src/testbed/role-configurations.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import {
  assertOneRemote,
  assertUninterrupted,
  isAccess,
  isCorrespondent,
  sipFrames,
  startCaptures,
} from './call-captures.ts';
import { rtpStreams } from './captured-frames.ts';
import { irregularCounts, readCounts } from './counting-audio.ts';
import { InteropLab, pause } from './interop-lab.ts';
import { Softphone } from './softphone.ts';

const handovers = 10;
const mobilePort = 5062;
const countingSteps = { mobile: 1, correspondent: 3 } as const;
const kamailio = { 'p-cscf': 'kamailio', 'i-cscf': 'kamailio', 's-cscf': 'kamailio' } as const;
const needs = { packages: { 'baresip-core': '/usr/bin/baresip' } } as const;

kernelTest(
  'softphones: over UDP, the mobile node calls, ten handovers, the correspondent hangs up',
  () => call({ transport: 'udp', caller: 'mobile', hangsUp: 'correspondent' }),
  needs,
);

kernelTest(
  'softphones: over TCP and with SRTP, the correspondent calls, ten handovers, the mobile node hangs up',
  () => call({ transport: 'tcp', caller: 'correspondent', hangsUp: 'mobile', isEncrypted: true }),
  needs,
);

kernelTest(
  'softphones: a P-CSCF for each access and reserved resources, of which the phones know nothing either',
  () =>
    call({
      transport: 'udp',
      caller: 'correspondent',
      hangsUp: 'mobile',
      ims: { proxyCscfs: 'per-access', withReservation: true },
    }),
  needs,
);

for (const [caller, hangsUp] of [
  ['mobile', 'correspondent'],
  ['correspondent', 'mobile'],
] as const)
  kernelTest(
    `softphones: behind Kamailio's CSCFs, the ${caller} calls, ten handovers`,
    () => call({ transport: 'udp', caller, hangsUp, ims: { core: kamailio } }),
    { packages: { ...needs.packages, [kamailioPackages]: '/usr/sbin/kamailio' } },
  );

kernelTest(
  'softphones: a call is held, moved, resumed and moved again, with the same addresses',
  async () => {
    const lab = await InteropLab.start();
    const phones = await startPhones(lab, 'udp');
    const captures = await startCaptures(lab);
    await dial(phones, 'mobile');
    for (const command of ['hold', 'resume']) {
      const reinvites = reinvitesOf(lab);
      phones.mobile.command(command);
      while (reinvitesOf(lab) === reinvites) await pause(20);
      await lab.handOver(1, 500);
    }
    await pause(1000);
    await hangUp(phones, 'mobile');
    await Promise.all([phones.mobile.quit(), phones.correspondent.quit()]);
    const { atCorrespondent, atAccesses } = await captures.finish();

    assertOneRemote(atCorrespondent, isCorrespondent);
    assertOneRemote(atAccesses, isAccess);
    for (const [phone, step] of [
      [phones.mobile, countingSteps.correspondent],
      [phones.correspondent, countingSteps.mobile],
    ] as const)
      assert.deepEqual(irregularCounts(readCounts(phone.recording).slice(-25), step), []);
    await lab.close();
  },
  needs,
);

type Side = 'mobile' | 'correspondent';
interface CallOptions {
  readonly transport: 'udp' | 'tcp';
  readonly caller: Side;
  readonly hangsUp: Side;
  readonly isEncrypted?: boolean;
  readonly ims?: Partial<ImsSettings>;
}
type Phones = Readonly<Record<Side, Softphone>>;

async function call(how: CallOptions): Promise<void> {
  const lab = await InteropLab.start(how.ims);
  const phones = await startPhones(lab, how.transport, how.isEncrypted);
  const captures = await startCaptures(lab);
  await dial(phones, how.caller);
  const messagesBefore = lab.network.trace.length;
  const startedAt = Date.now();
  await lab.handOver(handovers, 300);
  // Within the pause behind the last handover: a capture's clock may be a millisecond behind.
  const endedAt = Date.now() - 100;

  const methods = new Set(
    lab.mobileEvents.filter(({ event }) => event === 'session-moved').map(({ method }) => method),
  );
  const method = how.ims?.proxyCscfs === 'per-access' ? 'INVITE with Replaces' : 're-INVITE';
  assert.deepEqual([...methods], [method]);
  assert.deepEqual(lab.sipMessages(labAddresses.correspondentNode, messagesBefore), []);
  assert.deepEqual(lab.sipMessages(internalAddress, messagesBefore), []);
  await hangUp(phones, how.hangsUp);
  await Promise.all([phones.mobile.quit(), phones.correspondent.quit()]);
  const { atCorrespondent, atAccesses, atApplications } = await captures.finish();
  for (const frames of [atCorrespondent, atApplications]) {
    const all = sipFrames(frames);
    assert.ok(all.length > 5, `${all.length} SIP messages in the whole call`);
    const keys = all.some(({ payload }) => Buffer.from(payload).includes('a=crypto:'));
    assert.equal(keys, how.isEncrypted ?? false, 'keys of SRTP');
    assert.deepEqual(
      all.filter(({ epochMs }) => epochMs > startedAt && epochMs < endedAt),
      [],
    );
  }
  assertUninterrupted(rtpStreams(atCorrespondent), 150);
  assertUninterrupted(
    rtpStreams(atAccesses, (end) => (isAccess(end) ? 'phone' : end)),
    150,
  );
  assertOneRemote(atCorrespondent, isCorrespondent);
  assertOneRemote(atAccesses, isAccess);
  assertHeard(phones.mobile, countingSteps.correspondent);
  assertHeard(phones.correspondent, countingSteps.mobile);
  await lab.close();
}

async function startPhones(lab: InteropLab, transport: 'udp' | 'tcp', isEncrypted = false): Promise<Phones> {
  const { topology } = lab;
  const [mobile, correspondent] = await Promise.all([
    Softphone.start({
      topology,
      node: 'mn',
      folder: lab.folder('mobile'),
      identity: mobileIdentity,
      sip: { address: internalAddress, port: mobilePort },
      outboundProxy: `${internalAddress}:5070`,
      transport,
      isEncrypted,
      countingStep: countingSteps.mobile,
    }),
    Softphone.start({
      topology,
      node: 'cn',
      folder: lab.folder('correspondent'),
      identity: correspondentIdentity,
      sip: { address: labAddresses.correspondentNode, port: 5060 },
      outboundProxy: `${labAddresses.proxyCscf}:5060`,
      transport,
      isEncrypted,
      countingStep: countingSteps.correspondent,
    }),
  ]);
  return { mobile, correspondent };
}

/** Until both hear each other. */
async function dial(phones: Phones, caller: Side): Promise<void> {
  phones[caller].command('dial', caller === 'mobile' ? correspondentIdentity : mobileIdentity);
  await Promise.all(Object.values(phones).map((phone) => phone.until('CALL_ESTABLISHED')));
  await pause(500);
}

async function hangUp(phones: Phones, side: Side): Promise<void> {
  phones[side].command('hangup');
  await Promise.all(Object.values(phones).map((phone) => phone.until('CALL_CLOSED')));
}

/** INVITEs within the call that the correspondent's phone got and answered. */
function reinvitesOf(lab: InteropLab): number {
  return lab.sipMessages(labAddresses.correspondentNode).filter(({ node, direction, summary }) => {
    return node === 'p-cscf' && direction === 'received' && summary.startsWith('200 OK (INVITE)');
  }).length;
}

/** All that the other played, from the first packet to the last. */
function assertHeard(phone: Softphone, step: number): void {
  const counts = readCounts(phone.recording);
  assert.ok(counts.length > 150, `${counts.length} windows with tone`);
  assert.deepEqual(irregularCounts(counts, step), []);
}
