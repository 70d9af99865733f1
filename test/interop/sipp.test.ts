/**
 * SIPp as the correspondent: it plays its own answering scenario to the letter and fails at any message that is not in it. So a call
 * with handovers is to it a call like any other: INVITE, ACK, BYE.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { kamailioPackages } from '../../src/testbed/kamailio/kamailio-cscf.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { planFlows } from '../../src/testbed/lab-flows.ts';
import { correspondentIdentity, passwordOf, privateIdentityOf, userOf } from '../../src/testbed/lab-users.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { ImsCoreMakers } from '../../src/testbed/scenario.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { InteropLab } from './interop-lab.ts';

const handovers = 5;
const scenario = fileURLToPath(new URL('../../../test/interop/sipp/register.xml', import.meta.url));
const makers = { 'our CSCFs': 'trimaran', "Kamailio's CSCFs": 'kamailio' } as const;

for (const [name, maker] of Object.entries(makers))
  kernelTest(
    `SIPp: as correspondent behind ${name}, it hears INVITE, ACK and BYE of a call with ${handovers} handovers`,
    () => answer({ 'p-cscf': maker, 'i-cscf': maker, 's-cscf': maker }),
    {
      packages: {
        'sip-tester': '/usr/bin/sipp',
        ...(maker === 'kamailio' && { [kamailioPackages]: '/usr/sbin/kamailio' }),
      },
    },
  );

async function answer(core: ImsCoreMakers): Promise<void> {
  const lab = await InteropLab.start({ core });
  const folder = lab.folder('sipp');
  const sipp = (...args: readonly string[]) => {
    const common = ['-i', labAddresses.correspondentNode, '-p', '5060', '-m', '1', '-nostdin', '-nd'];
    const child = lab.topology.spawn('cn', 'sipp', [...args, ...common], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    child.stderr?.on('data', (octets) => {
      words += octets;
    });
    return once(child, 'close').then(([status]) => assert.equal(status, 0, words));
  };
  const user = privateIdentityOf(correspondentIdentity);
  const identity = [
    '-s',
    userOf(correspondentIdentity),
    '-au',
    user,
    '-ap',
    passwordOf(correspondentIdentity),
  ];
  await sipp(`${labAddresses.proxyCscf}:5060`, '-sf', scenario, ...identity);
  const answering = sipp('-sn', 'uas');

  const [plan] = planFlows(loadScenario('trim-kamailio'));
  const [addresses] = await lab.network.openSession('call', [plan!]);
  assert.match(addresses!.ofCorrespondent.address, /^(?:198\.51\.100|192\.0\.2)\.[12]$/, 'a translator');
  await lab.handOver(handovers, 100);
  // Sessions end first, by BYE.
  await lab.network.stop();
  await answering;
  await lab.close();
}
