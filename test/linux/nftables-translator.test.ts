import assert from 'node:assert/strict';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { BindingTable } from '../../src/translation/binding-table.ts';
import { kernelTest } from './own-namespace.ts';
import {
  addresses,
  bindingOf,
  openTranslatorNetwork,
  type TranslatorNetwork,
  UdpEnd,
} from './translator-network.ts';

for (const family of [4, 6] as const) {
  kernelTest(`NftablesTranslator: both ends of an IPv${family} stream see the translator only`, async () => {
    await withTranslator(async (network, translator) => {
      const binding = bindingOf(family);
      const bindings = new BindingTable({ graceTimeMs: 1000 });
      translator.apply(bindings.install(binding)?.operations ?? assert.fail());
      const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
      const mn = new UdpEnd(network.mn, binding.mobileNode, binding.towardsMobileNode);
      mn.send('up');
      assert.equal(await cn.receive(), 'up');
      cn.send('down');
      assert.equal(await mn.receive(), 'down');
      cn.close();
      mn.close();
    });
  });
}

async function withTranslator(
  work: (network: TranslatorNetwork, translator: NftablesTranslator) => Promise<void>,
): Promise<void> {
  const network = openTranslatorNetwork();
  const owned = [4, 6].flatMap((family) => [
    addresses[family as 4 | 6].towardsCorrespondent,
    addresses[family as 4 | 6].towardsMobileNode,
  ]);
  const translator = network.home.run(() =>
    NftablesTranslator.open({ instance: 'home', placement: 'home', addresses: owned }),
  );
  try {
    await work(network, translator);
  } finally {
    network.home.run(() => translator.close());
    network.close();
  }
}
