/**
 * A map from flow keys to something: what both engines of an address translator look a packet's flow up in. Equal keys are the same key.
 * Addresses are looked up one after the other and the port with the rest as one number, since text made of a whole key would cost
 * more than everything else that a translator does about a flow.
 */
import type { FlowKey } from './translation-operation.ts';

export class FlowIndex<Value> {
  /** By destination, of which a translator has few, by source, and by all that remains. */
  readonly #values = new Map<string, Map<string, Map<number, Value>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: FlowKey): Value | undefined {
    return this.#values.get(key.destination)?.get(key.source)?.get(remainderOf(key));
  }

  set(key: FlowKey, value: Value): void {
    const ports = branch(branch(this.#values, key.destination), key.source);
    const before = ports.size;
    ports.set(remainderOf(key), value);
    this.#size += ports.size - before;
  }

  delete(key: FlowKey): void {
    const sources = this.#values.get(key.destination);
    const ports = sources?.get(key.source);
    if (!ports?.delete(remainderOf(key))) return;
    this.#size--;
    if (ports.size === 0) sources?.delete(key.source);
    if (sources?.size === 0) this.#values.delete(key.destination);
  }

  *values(): IterableIterator<Value> {
    for (const sources of this.#values.values()) for (const ports of sources.values()) yield* ports.values();
  }
}

function branch<Key, Inner, Leaf>(map: Map<Key, Map<Inner, Leaf>>, key: Key): Map<Inner, Leaf> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Map<Inner, Leaf>();
  map.set(key, made);
  return made;
}

/** The family follows from the addresses. */
function remainderOf({ port, protocol, portOf }: FlowKey): number {
  return 4 * port + (protocol === 'tcp' ? 2 : 0) + (portOf === 'source' ? 1 : 0);
}
