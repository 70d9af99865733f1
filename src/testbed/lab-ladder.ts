/** How the lab's messages are drawn: the nodes of TRIM fig. 4 and 6 from left to right, by names short enough for 80 columns. */
import type { TraceEntry } from '../base/trace.ts';
import type { LadderOptions } from '../observation/message-ladder.ts';

const shortNames: Readonly<Record<string, string>> = {
  'mobile-node': 'mn',
  'address-translator': 'translator',
  'correspondent-node': 'cn',
  'p-cscf-1': 'p-cscf',
};
const nodes = ['mn', 'p-cscf', 'p-cscf-2', 'i-cscf', 's-cscf', 'trim-as', 'translator', 'cn'];

/** Only nodes that take part get a column. */
export function labLadder(trace: readonly TraceEntry[]): {
  readonly entries: readonly TraceEntry[];
  readonly options: LadderOptions;
} {
  const entries = trace.map((entry) => ({ ...entry, node: shortNames[entry.node] ?? entry.node }));
  const present = new Set(entries.map(({ node }) => node));
  return { entries, options: { nodes: nodes.filter((node) => present.has(node)), width: 80 } };
}
