/** How the lab's messages are drawn: the nodes of TRIM fig. 4 and 6, and of MIP–SIP fig. 2, from left to right, by names short enough for 80 columns. */
import type { TraceEntry } from '../base/trace.ts';
import type { LadderOptions } from '../observation/message-ladder.ts';
import { applicationPort, internalAddress, labAddresses } from './lab-addresses.ts';

const shortNames: Readonly<Record<string, string>> = {
  'mobile-node': 'mn',
  'address-translator': 'translator',
  'correspondent-node': 'cn',
  correspondent: 'cn',
  'p-cscf-1': 'p-cscf',
};
const application = 'program';
const nodes = [
  application,
  'mn',
  ...['p-cscf', 'p-cscf-2', 'i-cscf', 's-cscf', 'trim-as', 'translator'],
  ...['home-agent', 'sip-server', 'cn'],
];

/** Only nodes that take part get a column. Diameter's watchdogs go on whatever happens, and are left out. */
export function labLadder(trace: readonly TraceEntry[]): {
  readonly entries: readonly TraceEntry[];
  readonly options: LadderOptions;
} {
  const entries = trace
    .filter(({ summary }) => !/^DW[RA]\b/.test(summary))
    .map((entry) => ({ ...entry, node: shortName(entry.node) }));
  const recorders = new Set(entries.map(({ node }) => node));
  // Programs record nothing, nor does a CSCF that is Kamailio's: they are known by their addresses.
  const owners = new Map(
    entries
      .flatMap(({ from, to }) => [from, to])
      .flatMap((end) => {
        const owner = silentOwnerOf(end);
        return owner === undefined || recorders.has(owner) ? [] : [[end, owner] as const];
      }),
  );
  const present = new Set([...recorders, ...owners.values()]);
  return { entries, options: { nodes: nodes.filter((node) => present.has(node)), owners, width: 80 } };
}

const cscfsByAddress: Readonly<Record<string, string>> = {
  [labAddresses.proxyCscf]: 'p-cscf',
  [labAddresses.secondProxyCscf]: 'p-cscf-2',
  [labAddresses.interrogatingCscf]: 'i-cscf',
  [labAddresses.servingCscf]: 's-cscf',
};

function silentOwnerOf(end: string): string | undefined {
  if (end.startsWith(`${internalAddress}:`))
    return end.endsWith(`:${applicationPort}`) ? undefined : application;
  return cscfsByAddress[end.slice(0, end.lastIndexOf(':'))];
}

/** In virtual time the terminals that open sessions record too. */
function shortName(node: string): string {
  return node.startsWith('session-') ? application : (shortNames[node] ?? node);
}
