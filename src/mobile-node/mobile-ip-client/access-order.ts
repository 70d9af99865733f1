/**
 * Which access packets take: the general order of preference and that of classes of flows, as this node carries them out for what it
 * sends (tunnel rules) and as it asks the agent to for what it receives (flow bindings, RFC 7629 §4.2).
 */
import type { FlowBinding } from '../../protocols/mobile-ip/extension.ts';
import { maximumBindingIdsPerFlow } from '../../protocols/mobile-ip/limits.ts';
import { toTrafficSelector } from '../../protocols/mobile-ip/traffic-selector.ts';
import type {
  TunnelBinding,
  TunnelEndpoint,
  TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';
import type { AccessBinding } from './access-binding.ts';
import type { FlowPreference, MobileIpAccess } from './mobile-ip-client-options.ts';

export class AccessOrder {
  /** Names, most preferred first. */
  #names: readonly string[];
  #flows: readonly FlowPreference[] = [];
  constructor(accesses: readonly MobileIpAccess[]) {
    this.#names = accesses.map(({ name }) => name);
  }

  prefer(name: string): void {
    this.#names = [name, ...this.#names.filter((other) => other !== name)];
  }

  preferFlows(flows: readonly FlowPreference[]): void {
    this.#flows = flows;
  }

  /** The first access that is there, bound or not. */
  preferred(bindings: ReadonlyMap<string, AccessBinding>): AccessBinding | undefined {
    const names = this.#names.filter((name) => bindings.get(name)?.careOfAddress !== undefined);
    return names.length === 0 ? undefined : bindings.get(names[0]!);
  }

  /** The first bound access. */
  forwarding(bindings: ReadonlyMap<string, AccessBinding>): AccessBinding | undefined {
    return this.#sorted({ accesses: [] }, bindings)[0];
  }

  /** The whole policy; `own`, the access that is being registered, counts as bound. */
  flowBindings(bindings: ReadonlyMap<string, AccessBinding>, own?: AccessBinding): FlowBinding[] {
    return [...this.#flows, everything].map((flow) => ({
      kind: 'flow-binding',
      action: 'forward',
      bindingIds: this.#sorted(flow, bindings, own)
        .map(({ access }) => access.index)
        .slice(0, maximumBindingIdsPerFlow),
      selector: toTrafficSelector(flow.selector),
    }));
  }

  /** What the data path does; undefined while no access is bound. */
  tunnelBinding(
    bindings: ReadonlyMap<string, AccessBinding>,
    addresses: { readonly homeAddress: string; readonly homeAgent: string },
    endpointOf: (binding: AccessBinding) => TunnelEndpoint,
  ): TunnelBinding | undefined {
    const bound = [...bindings.values()].filter(({ isBound }) => isBound);
    if (bound.length === 0) return undefined;
    const rules = [...this.#flows, everything].map((flow) => ({
      selector: flow.selector,
      endpoints: this.#sorted(flow, bindings)
        .slice(0, 1)
        .map((binding) => endpointOf(binding)),
    }));
    return { ...addresses, endpoints: bound.map((binding) => endpointOf(binding)), rules };
  }

  #sorted(
    { accesses }: Pick<FlowPreference, 'accesses'>,
    bindings: ReadonlyMap<string, AccessBinding>,
    own?: AccessBinding,
  ): AccessBinding[] {
    const sorted: AccessBinding[] = [];
    for (const name of new Set([...accesses, ...this.#names])) {
      const binding = bindings.get(name);
      if (binding !== undefined && (binding.isBound || binding === own)) sorted.push(binding);
    }
    return sorted;
  }
}

const everything: { readonly selector: TunnelSelector; readonly accesses: readonly string[] } = {
  selector: {},
  accesses: [],
};
