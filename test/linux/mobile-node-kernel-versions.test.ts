/**
 * The mobile node's own hold on the kernel (runtime/mobile-node-kernel.ts) when the only access that is left has IPv6 alone: routes, rules and
 * translation together, for a program that knows its IPv4 address and its peer's and nothing else.
 */
import assert from 'node:assert/strict';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { MobileNodeKernel } from '../../src/runtime/mobile-node-kernel.ts';
import { BindingTable } from '../../src/translation/binding-table.ts';
import { LocalBindingTable } from '../../src/translation/local-binding-table.ts';
import type { TranslationOperation } from '../../src/translation/translation-operation.ts';
import { kernelTest } from './own-namespace.ts';
import {
  addresses,
  bindingOf,
  openHomeTranslator,
  openTranslatorNetwork,
  UdpEnd,
} from './translator-network.ts';

const threeG = { index: 1, address: addresses[4].threeG };
const wlan = { index: 2, address: addresses[6].wlan };
const remote = { address: addresses[6].towardsMobileNode, port: 30_002 };

kernelTest(
  'MobileNodeKernel: a program goes on when the one access with IPv4 is gone and IPv6 is left',
  async () => {
    const network = openTranslatorNetwork();
    const binding = bindingOf(4);
    const home = openHomeTranslator(network);
    const [bindings, local] = [new BindingTable({ graceTimeMs: 1000 }), new LocalBindingTable()];
    const kernel = network.mn.run(
      () => new MobileNodeKernel({ internalAddress: addresses[4].internal, instance: 'mn' }, () => {}),
    );
    const translate = (operations: TranslationOperation[]) =>
      kernel.perform({ type: 'translate', operations });
    for (const [id, { index, address }, link, gateway] of [
      [1, threeG, '3g', '10.1.0.1'],
      [2, wlan, 'wlan', '2001:db8:2::1'],
    ] as const)
      kernel.perform({ type: 'attach-access', id, index, interface: link, address, gateway });
    home.apply(bindings.install(binding)?.operations ?? assert.fail());
    const application = { address: addresses[4].internal, port: binding.mobileNode.port };
    const peer = binding.towardsMobileNode;
    translate(local.install({ id: 'b', protocol: 'udp', application, peer }, threeG) ?? assert.fail());
    const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
    const program = new UdpEnd(network.mn, application, peer);
    const assertPasses = async (text: string) => {
      program.send(`up ${text}`);
      assert.equal(await cn.receive(), `up ${text}`);
      cn.send(`down ${text}`);
      assert.equal(await program.receive(), `down ${text}`);
    };
    await assertPasses('over IPv4');
    translate(local.accept('b', wlan, remote));
    home.apply(
      bindings.move('b', { ...wlan, port: application.port }, 0, remote)?.operations ?? assert.fail(),
    );
    translate(local.move('b', wlan, remote));
    translate(local.dismiss('b', threeG));
    kernel.perform({ type: 'detach-access', index: threeG.index });
    network.mn.run(() => {
      const links = new Rtnetlink();
      links.changeLink('3g', { up: false });
      links.close();
    });
    await assertPasses('over IPv6, with no way for IPv4 out of the node');
    cn.close();
    program.close();
    await network.mn.run(() => kernel.close());
    network.home.run(() => home.close());
    network.close();
  },
);
