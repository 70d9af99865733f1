/**
 * TRIM behind an IMS core that nobody here wrote: Debian's Kamailio as P-, I- and S-CSCF with our HSS and application server, then with each
 * of our CSCFs in the place of Kamailio's. The same calls, moves and streams each time.
 */
import assert from 'node:assert/strict';
import { flowResults } from '../../src/testbed/flow-results.ts';
import { kamailioPackages } from '../../src/testbed/kamailio/kamailio-cscf.ts';
import { KernelMedia } from '../../src/testbed/kernel-media.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { planFlows } from '../../src/testbed/lab-flows.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { ImsSettings } from '../../src/testbed/role-configurations.ts';
import type { ImsCoreMakers } from '../../src/testbed/scenario.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { InteropLab } from './interop-lab.ts';
import { type Side, Terminal } from './terminal.ts';

const handovers = 20;
const kamailio: ImsCoreMakers = { 'p-cscf': 'kamailio', 'i-cscf': 'kamailio', 's-cscf': 'kamailio' };
const cores: Readonly<Record<string, ImsCoreMakers>> = {
  "Kamailio's CSCFs": kamailio,
  'our P-CSCF': { ...kamailio, 'p-cscf': 'trimaran' },
  'our I-CSCF': { ...kamailio, 'i-cscf': 'trimaran' },
  'our S-CSCF': { ...kamailio, 's-cscf': 'trimaran' },
};
const needs = {
  packages: Object.fromEntries([[kamailioPackages, '/usr/sbin/kamailio']]),
} as const;

for (const [name, core] of Object.entries(cores)) {
  kernelTest(
    `kamailio: ${name}, MD5: the mobile node calls, ${handovers} moves behind one P-CSCF by re-INVITE, nothing lost`,
    () => call({ core, authentication: 'md5', proxyCscfs: 'shared', caller: 'mobile' }),
    needs,
  );
  kernelTest(
    `kamailio: ${name}, SIP digest: the correspondent calls, ${handovers} moves behind one P-CSCF by re-INVITE, nothing lost`,
    () => call({ core, authentication: 'sip-digest', proxyCscfs: 'shared', caller: 'correspondent' }),
    needs,
  );
  kernelTest(
    `kamailio: ${name}, AKA: the correspondent calls, ${handovers} moves between two P-CSCFs by INVITE with Replaces, nothing lost`,
    () => call({ core, authentication: 'aka', proxyCscfs: 'per-access', caller: 'correspondent' }),
    needs,
  );
}

type Terminals = Readonly<Record<Side, Terminal>>;

async function call({ caller, ...ims }: Partial<ImsSettings> & { readonly caller: Side }): Promise<void> {
  const scenario = { ...loadScenario('trim-kamailio'), ...ims, withReservation: true };
  const [plan] = planFlows(scenario);
  assert.ok(plan);
  const lab = await InteropLab.start({ ...ims, withReservation: true });
  const { authentication } = scenario;
  // It rings for a while: a 200 that overtakes its 180 within Kamailio is the last of the call's responses (RFC 3261 §16.7).
  const options = { authentication, withReservation: true, rtpPort: plan.port, ring: '300ms' };
  const [mobile, correspondent] = await Promise.all([
    Terminal.start(lab, 'mobile', options),
    Terminal.start(lab, 'correspondent', options),
  ]);
  const terminals: Terminals = { mobile, correspondent };
  assertRegistered(lab);

  const callee = caller === 'mobile' ? 'correspondent' : 'mobile';
  await terminals[caller].call(terminals[callee]);
  const addresses = {
    ofCorrespondent: await mobile.established(),
    ofMobileNode: await correspondent.established(),
  };
  assertReserved(terminals[caller]);
  const media = new KernelMedia(
    (...rest) => lab.topology.spawn('mn', ...rest),
    (...rest) => lab.topology.spawn('cn', ...rest),
  );
  await media.start(plan, addresses);
  const messages = [mobile.trace.length, correspondent.trace.length];
  media.startSending();
  await lab.handOver(handovers, 100);
  const [measured] = await media.finish();
  assert.ok(measured);

  assertMethod(lab, ims.proxyCscfs === 'shared' ? 're-INVITE' : 'INVITE with Replaces');
  assert.deepEqual([mobile.trace.length, correspondent.trace.length], messages, 'a terminal heard of a move');
  assertNothingLost(flowResults(measured, { captures: noCaptures, scenario, busy: [], originAt: 0 }));
  assert.equal(addresses.ofMobileNode.address, labAddresses.translatorTowardsPeers[0]);
  assertWatched(lab, ims.core);
  await terminals[callee].program.stop();
  await terminals[caller].ended();
  assert.deepEqual(lab.network.failures, []);
  await terminals[caller].program.stop();
  await lab.close();
}

const noCaptures = { mobile: [], correspondent: [] };

/** The HSS gave what challenges are made of; the application server got the third-party REGISTER and answered it. */
function assertRegistered(lab: InteropLab): void {
  const messages = lab.network.trace.map(({ node, direction, summary }) => `${node} ${direction} ${summary}`);
  assert.ok(messages.includes('hss sent MAA 2001'), 'nobody was challenged');
  assert.ok(messages.some((message) => message.startsWith('trim-as received REGISTER')));
  assert.ok(messages.includes('trim-as sent 200 OK (REGISTER)'));
}

/** RFC 3680, where one of the two is ours: the P-CSCF watches the registration, and understands what it is told. */
function assertWatched(lab: InteropLab, core: ImsCoreMakers | undefined): void {
  const messages = lab.network.trace.map(({ node, direction, summary }) => `${node} ${direction} ${summary}`);
  // Two P-CSCFs are numbered.
  const proxy = messages.some((message) => /^p-cscf\S* sent 200 OK \(NOTIFY\)$/.test(message));
  if (core?.['p-cscf'] === 'trimaran') assert.ok(proxy, 'the P-CSCF was told nothing');
  const serving = messages.includes('s-cscf received 200 OK (NOTIFY)');
  if (core?.['s-cscf'] === 'trimaran') assert.ok(serving, 'nobody took what the S-CSCF told');
}

/**
 * TRIM fig. 4: it rings once both sides have their resources. Two answers that follow one another may overtake each other on the way. On a
 * busy machine the INVITE goes out again before it is answered.
 */
function assertReserved(caller: Terminal): void {
  const dialogue = caller
    .dialogue()
    .filter((line, index, all) => !line.includes(' 100 ') && line !== all[index - 1]);
  const steps = [
    ['sent INVITE'],
    ['received 183 Session Progress (INVITE)'],
    ['sent PRACK'],
    ['received 200 OK (PRACK)'],
    ['sent UPDATE'],
    ['received 200 OK (UPDATE)', 'received 180 Ringing (INVITE)', 'received 200 OK (INVITE)'],
    ['sent ACK'],
  ];
  for (const step of steps) assert.deepEqual(dialogue.splice(0, step.length).sort(), step.toSorted());
  assert.deepEqual(dialogue, []);
}

function assertMethod(lab: InteropLab, method: string): void {
  const moves = lab.mobileEvents.filter(({ event }) => event === 'session-moved');
  assert.equal(moves.length, handovers);
  assert.deepEqual([...new Set(moves.map((move) => move['method']))], [method]);
}

function assertNothingLost(flows: ReturnType<typeof flowResults>): void {
  assert.equal(flows.length, 2);
  for (const { direction, sent, received, lost, duplicated } of flows) {
    assert.ok(sent > handovers * 5, `${sent} packets ${direction}`);
    assert.deepEqual([received, lost, duplicated], [sent, 0, 0], direction);
  }
}
