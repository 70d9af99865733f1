/**
 * The import table of ARCHITECTURE.md as data: which box may import which, and which may use Node's modules or npm packages.
 * A box is named by its folder below src/. A box may always import itself.
 */
export interface Boundary {
  readonly box: string;
  readonly imports: readonly string[];
  /** Node modules that the box may use: none, all, or the listed ones. */
  readonly node: 'none' | 'all' | readonly string[];
  readonly packages: readonly string[];
}

const functions: readonly string[] = [
  'ims-core/p-cscf',
  'ims-core/i-cscf',
  'ims-core/s-cscf',
  'ims-core/hss',
  'home-network/trim-as',
  'home-network/address-translator',
  'home-network/home-agent',
  'home-network/sip-server',
  'mobile-node',
  'mobile-node/access-monitor',
  'mobile-node/access-selection',
  'mobile-node/mobile-ip-client',
  'correspondent-node',
];
const protocols: readonly string[] = [
  'protocols/ip',
  'protocols/rtp',
  'protocols/aka',
  'protocols/sip',
  'protocols/sdp',
  'protocols/diameter',
  'protocols/mobile-ip',
];
const core = ['base', ...protocols, 'translation', 'access-network', ...functions];

function pure(box: string, ...imports: string[]): Boundary {
  return { box, imports, node: 'none', packages: [] };
}

function impure(box: string, imports: readonly string[], ...packages: string[]): Boundary {
  return { box, imports, node: 'all', packages };
}

export const boundaries: readonly Boundary[] = [
  { box: 'base', imports: [], node: ['node:crypto'], packages: [] },
  pure('protocols/ip', 'base'),
  pure('protocols/rtp', 'base'),
  pure('protocols/aka', 'base'),
  pure('protocols/sip', 'base', 'protocols/aka'),
  pure('protocols/sdp', 'base'),
  pure('protocols/diameter', 'base'),
  pure('protocols/mobile-ip', 'base', 'protocols/ip'),
  pure('translation', 'base', 'protocols/ip'),
  pure('access-network', 'base'),
  pure('ims-core/p-cscf', 'base', 'protocols/sip', 'protocols/sdp'),
  pure('ims-core/i-cscf', 'base', 'protocols/sip', 'protocols/diameter'),
  pure('ims-core/s-cscf', 'base', 'protocols/sip', 'protocols/sdp', 'protocols/diameter'),
  pure('ims-core/hss', 'base', 'protocols/aka', 'protocols/diameter'),
  pure('home-network/trim-as', 'base', 'protocols/sip', 'protocols/sdp', 'protocols/diameter', 'translation'),
  pure('home-network/address-translator', 'base', 'protocols/ip', 'protocols/diameter', 'translation'),
  pure('home-network/home-agent', 'base', 'protocols/ip', 'protocols/mobile-ip', 'protocols/sip'),
  pure('home-network/sip-server', 'base', 'protocols/sip'),
  pure('mobile-node/access-monitor', 'base'),
  pure('mobile-node/access-selection', 'base', 'mobile-node/access-monitor'),
  pure('mobile-node/mobile-ip-client', 'base', 'protocols/ip', 'protocols/mobile-ip'),
  pure('mobile-node/sip-user-agent', 'base', 'protocols/sip'),
  pure('mobile-node/address-translator', 'base', 'protocols/ip', 'translation'),
  pure(
    'mobile-node/handover-manager',
    'base',
    'protocols/sip',
    'protocols/sdp',
    'translation',
    'mobile-node/access-monitor',
    'mobile-node/sip-user-agent',
    'mobile-node/address-translator',
  ),
  pure(
    'mobile-node',
    'base',
    'protocols/sip',
    'protocols/sdp',
    'protocols/mobile-ip',
    'translation',
    'mobile-node/access-selection',
    'mobile-node/access-monitor',
    'mobile-node/sip-user-agent',
    'mobile-node/address-translator',
    'mobile-node/mobile-ip-client',
    'mobile-node/handover-manager',
  ),
  pure('correspondent-node', 'base', 'protocols/sip', 'protocols/sdp', 'protocols/rtp'),
  impure(
    'drivers',
    ['base', 'protocols/ip', 'protocols/mobile-ip', 'translation', 'access-network'],
    'koffi',
  ),
  pure('observation', 'base', 'protocols/sip', 'protocols/sdp', 'protocols/diameter', 'protocols/mobile-ip'),
  pure('sim', ...core, 'observation'),
  impure('runtime', [...core, 'observation', 'drivers'], 'zod', 'yaml'),
  impure('testbed', [...core, 'observation', 'sim', 'runtime', 'drivers'], 'zod', 'yaml'),
  impure('cli', [...core, 'observation', 'sim', 'runtime', 'drivers', 'testbed']),
];

/** The table as ARCHITECTURE.md shows it. A box that may import all that stands above it in the table says so. */
export function formatBoundaries(): string {
  const rows = boundaries.map(({ box, imports, node, packages }, index) => {
    const above = boundaries.slice(0, index).map((boundary) => boundary.box);
    const missing = above.filter(
      (name) => !imports.includes(name) && !imports.some((parent) => name.startsWith(`${parent}/`)),
    );
    const isAlmostAll = above.length > 12 && missing.length <= 2;
    const but = missing.length === 0 ? '' : ` but ${missing.join(', ')}`;
    const allowed = isAlmostAll ? `all above${but}` : imports.join(', ') || '–';
    const outside =
      [...(node === 'all' ? ['Node'] : node === 'none' ? [] : node), ...packages].join(', ') || '–';
    return `| \`${box}\` | ${allowed} | ${outside} |`;
  });
  return ['| box | may import | Node, packages |', '|---|---|---|', ...rows].join('\n');
}
