/**
 * A little lab for lab-process.test.ts: outside, it starts itself inside namespaces; inside, it builds two nodes, lets a program run on
 * one and a packet cross, prints what it made as one JSON line, and stays or ends.
 */
import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { accessProfiles } from '../../src/access-network/access-profiles.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { endWithParent, startLabProcess } from '../../src/testbed/lab-process.ts';
import { detectLabTier } from '../../src/testbed/lab-tier.ts';

const sendOnePacket = `require('node:dgram').createSocket('udp4').send('x', 9, '10.1.0.1', () => process.exit())`;
const [place = '', then = '', tier = ''] = process.argv.slice(2);
if (place === 'outside') outside();
else await inside();

function outside(): void {
  const { tier } = detectLabTier();
  if (tier === 'virtual') process.exit(2);
  const child = startLabProcess(tier, process.argv[1] ?? '', ['inside', then, tier]);
  child.on('exit', (code) => process.exit(code ?? 3));
}

async function inside(): Promise<void> {
  endWithParent();
  const topology = new KernelTopology(
    {
      nodes: [{ name: 'a' }, { name: 'b' }],
      links: [
        {
          name: 'radio',
          profile: accessProfiles.wlan,
          ends: [
            { node: 'a', interface: 'wlan0', addresses: ['10.1.0.2/24'] },
            { node: 'b', interface: 'radio', addresses: ['10.1.0.1/24'] },
          ],
        },
      ],
    },
    { seed: 1 },
  );
  topology.spawn('a', process.execPath, ['-e', sendOnePacket], { stdio: 'ignore' });
  topology.spawn('b', 'sleep', ['1000'], { stdio: 'ignore' }).unref();
  while (topology.link('radio').counters().uplink.delivered === 0)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const namespaces = ['a', 'b'].map((node) => readlinkSync(topology.namespaceOf(node).path));
  console.log(
    JSON.stringify({ tier, namespaces, delivered: topology.link('radio').counters().uplink.delivered }),
  );
  if (then === 'end') process.exit(0);
  spawn('sleep', ['1000']);
}
