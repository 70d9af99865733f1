/** One binding through the home network's translator and the mobile node's own, and handovers as a handover manager does them. */
import assert from 'node:assert/strict';
import { familyOf } from '../../src/base/ip-address.ts';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { type Binding, BindingTable } from '../../src/translation/binding-table.ts';
import {
  type LocalAccess,
  type LocalBinding,
  LocalBindingTable,
} from '../../src/translation/local-binding-table.ts';
import {
  addresses,
  openHomeTranslator,
  openTranslatorNetwork,
  type TranslatorNetwork,
} from './translator-network.ts';

export type AccessName = 'threeG' | 'wlan';

const accessIndex = { threeG: 1, wlan: 2 } as const;
const accessLink = { threeG: '3g', wlan: 'wlan' } as const;

export class BothTranslators {
  readonly network: TranslatorNetwork;
  readonly binding: Binding;
  readonly local: LocalBinding;
  readonly localTranslator: NftablesTranslator;
  readonly #homeTranslator: NftablesTranslator;
  readonly #bindings = new BindingTable({ graceTimeMs: 50 });
  readonly #localBindings = new LocalBindingTable();
  #now = 0;

  constructor(binding: Binding) {
    this.binding = binding;
    this.network = openTranslatorNetwork();
    const { protocol, activeEnd, towardsMobileNode, mobileNode } = binding;
    const { internal } = addresses[familyOf(mobileNode.address)];
    this.local = {
      id: binding.id,
      protocol,
      ...(activeEnd && { activeEnd }),
      application: { address: internal, port: mobileNode.port },
      peer: towardsMobileNode,
    };
    this.#homeTranslator = openHomeTranslator(this.network);
    this.localTranslator = this.network.mn.run(() => {
      routeByMark();
      const internals = [addresses[4].internal, addresses[6].internal];
      return NftablesTranslator.open({
        instance: 'mn',
        placement: 'mobile-node',
        addresses: internals,
        counters: true,
      });
    });
    this.#homeTranslator.apply(this.#bindings.install(binding)?.operations ?? assert.fail());
    this.localTranslator.apply(
      this.#localBindings.install(this.local, this.#access('threeG')) ?? assert.fail(),
    );
  }

  /**
   * The soft order: the new address accepted on both sides, downlink moved, uplink moved, former address no longer accepted. An access of the
   * other version of IP comes with a y:b of that.
   */
  handOver(name: AccessName, family: 4 | 6 = familyOf(this.binding.mobileNode.address)): void {
    const { id, mobileNode, towardsMobileNode } = this.binding;
    const access = this.#access(name, family);
    const remote =
      family === familyOf(towardsMobileNode.address)
        ? towardsMobileNode
        : { address: addresses[family].towardsMobileNode, port: 30_002 };
    this.#now += 10;
    this.#homeTranslator.apply(this.#bindings.handleTimeout(this.#now).operations);
    this.localTranslator.apply(this.#localBindings.accept(id, access, remote));
    const target = { address: access.address, port: mobileNode.port };
    this.#homeTranslator.apply(
      this.#bindings.move(id, target, this.#now, remote)?.operations ?? assert.fail(),
    );
    this.localTranslator.apply(this.#localBindings.move(id, access, remote));
  }

  /** What has come in over an access. */
  packetsOver(name: AccessName, family?: 4 | 6): number {
    const key = this.#localBindings.downlinkKey(this.binding.id, this.#access(name, family));
    return (key && this.localTranslator.readCounter(key)?.packets) ?? 0;
  }

  narrowCorrespondentLink(mtu: number): void {
    this.network.home.run(() => withRtnetlink((links) => links.changeLink('to-cn', { mtu })));
  }

  /** By the home network's translator. */
  get dropped(): number {
    return this.#homeTranslator.readDropped();
  }

  narrowWlan(mtu: number): void {
    this.network.home.run(() => withRtnetlink((links) => links.changeLink('to-wlan', { mtu })));
    this.network.mn.run(() => withRtnetlink((links) => links.changeLink('wlan', { mtu })));
  }

  close(): void {
    this.network.mn.run(() => this.localTranslator.close());
    this.network.home.run(() => this.#homeTranslator.close());
    this.network.close();
  }

  #access(name: AccessName, family = familyOf(this.binding.mobileNode.address)): LocalAccess {
    return { index: accessIndex[name], address: addresses[family][name] };
  }
}

/** The top 8 bits of the mark choose the routing table of an access. */
function routeByMark(): void {
  withRtnetlink((links) => {
    for (const name of ['threeG', 'wlan'] as const) {
      const index = accessIndex[name];
      const link = accessLink[name];
      for (const [family, destination, gateway] of [
        [4, '0.0.0.0/0', `10.${index}.0.1`],
        [6, '::/0', `2001:db8:${index}::1`],
      ] as const) {
        links.replaceRoute({ destination, gateway, link, table: 100 + index });
        const from = `${addresses[family][name]}/${family === 4 ? 32 : 128}`;
        links.addRule({ family, priority: 200 + index, table: 100 + index, from });
        links.addRule({
          family,
          priority: 100 + index,
          table: 100 + index,
          mark: index << 24,
          mask: 0xff000000,
        });
      }
    }
  });
}

function withRtnetlink(work: (links: Rtnetlink) => void): void {
  const links = new Rtnetlink();
  work(links);
  links.close();
}
