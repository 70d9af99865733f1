/** Which transactions sent their last message over which flow, so that the failure of a flow finds them without a search. */
import type { SipFlow } from '../transport/sip-transport.ts';

export class FlowIndex<Entry extends { flow: SipFlow | undefined }> {
  readonly #entries = new Map<SipFlow, Set<Entry>>();

  note(entry: Entry, flow: SipFlow): void {
    if (entry.flow === flow) return;
    this.remove(entry);
    entry.flow = flow;
    const others = this.#entries.get(flow);
    if (others === undefined) this.#entries.set(flow, new Set([entry]));
    else others.add(entry);
  }

  remove(entry: Entry): void {
    if (entry.flow === undefined) return;
    const others = this.#entries.get(entry.flow);
    others?.delete(entry);
    if (others?.size === 0) this.#entries.delete(entry.flow);
    entry.flow = undefined;
  }

  /** A snapshot: what is done to the entries may change the index. */
  entriesOf(flow: SipFlow): Entry[] {
    return [...(this.#entries.get(flow) ?? [])];
  }
}
