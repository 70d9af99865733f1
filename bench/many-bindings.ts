/** So many bindings between one correspondent and one mobile node, for benchmarks. */
import { type Binding, BindingTable } from '../src/translation/binding-table.ts';
import type { TranslationOperation } from '../src/translation/translation-operation.ts';
import { portsPerAddress } from '../test/linux/packet-flow.ts';
import { bindingOf } from '../test/linux/translator-network.ts';

export const firstPort = 10_000;

/** The binding number `index`; ports run up from the first one, then over to the next translator address. */
export function bindingNumber(index: number): Binding {
  const port = firstPort + (index % portsPerAddress);
  const host = 1 + Math.floor(index / portsPerAddress);
  const base = bindingOf(4);
  return {
    ...base,
    id: `${index}`,
    towardsCorrespondent: { address: `198.51.100.${host}`, port },
    towardsMobileNode: { address: `198.51.100.${host + 1}`, port },
    mobileNode: { ...base.mobileNode, port },
  };
}

/** Operations that install bindings 0 … count − 1, in transactions of a thousand. */
export function* manyBindings(
  count: number,
  table: BindingTable = new BindingTable({ graceTimeMs: 1000 }),
): Generator<TranslationOperation[]> {
  for (let from = 0; from < count; from += 1000) {
    const operations: TranslationOperation[] = [];
    for (let i = from; i < Math.min(count, from + 1000); i++)
      operations.push(...(table.install(bindingNumber(i))?.operations ?? []));
    yield operations;
  }
}
