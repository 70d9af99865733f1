/**
 * One end of the Mobile IP tunnel as a process of its own, so that a benchmark can ask the kernel what processor time it took. Started in
 * the end's network namespace: `node tunnel-end.js ha|mn`; runs until its standard input ends.
 */
import { ProxyArp } from '../src/drivers/linux/proxy-arp.ts';
import { Tunnel } from '../src/drivers/linux/tunnel.ts';
import { bindingOf, careOf, endpointOf, homeAddress, homeAgent } from '../test/linux/tunnel-network.ts';

const end = process.argv[2] === 'ha' ? 'ha' : 'mn';
const tunnel = new Tunnel({
  placement: end === 'ha' ? 'home-agent' : 'mobile-node',
  device: end === 'ha' ? 'home0' : 'mobile0',
  destinations: ['0.0.0.0/0'],
  onDatagram: () => {},
});
if (end === 'ha') new ProxyArp('to-cn').add(homeAddress);
tunnel.listen(end === 'ha' ? homeAgent : careOf.umts);
const endpoint = endpointOf(end, 'umts');
const rules = [{ selector: {}, endpoints: [endpoint] }];
tunnel.apply({ kind: 'bind', binding: bindingOf([endpoint], rules) });
console.log('ready');
process.stdin.on('end', () => void tunnel.close().then(() => process.exit())).resume();
