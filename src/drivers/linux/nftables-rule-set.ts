/**
 * The rules of an address translator as data (TRIM Fig. 2 and 3(b)), one table per IP family. Per packet there is one lookup and two
 * header writes:
 *
 *     key (source, destination, one port)  ──map──>  mark, source, destination, port(s)
 *
 * All fields of a packet are written in one evaluation of one chain, ahead of routing, so no packet can be rewritten half by an old
 * and half by a new binding, and a handover is the change of one map element. Around that stand the fixes for what stateless
 * translation breaks: UDP without checksum, fragments, path MTU, connection tracking, ICMP errors.
 */
import type { FlowKey, Rewrite, TransportProtocol } from '../../translation/translation-operation.ts';
import type { SelectedVersion } from '../../translation/translation-table.ts';
import { addressOctets } from './address-octets.ts';
import type { IpFamily } from './nftables-batch.ts';
import {
  clampSegmentSize,
  compare,
  countIn,
  type Expression,
  limit,
  loadConstant,
  loadCounter16,
  loadHeader,
  loadMeta,
  loadSourceAddressType,
  loadTrackingState,
  log,
  lookUp,
  lookUpAbsent,
  maskWith,
  metaKey,
  queueIn,
  setMeta,
  transparentProxy,
  verdict,
  withoutTracking,
  writeHeader,
} from './nftables-expression.ts';
import { SetElements } from './nftables-set-elements.ts';
import { gatewayDevice, placeholder } from './version-pairs.ts';

export interface RuleSetOptions {
  /** `home` translates what it forwards; `mobile-node` also what the node itself sends, and picks the access by the mark. */
  readonly placement: 'home' | 'mobile-node';
  /** home: the translator's addresses. mobile-node: the applications' internal addresses, which never appear on a link. */
  readonly addresses: readonly string[];
  /** home: the ports of those addresses that belong to translation; packets to one that match no flow are dropped. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** home: TCP connections through the translator use no larger segments (octets of payload), IPv4 and IPv6. */
  readonly maximumSegmentSize: number;
  /** What makes the kernel put fragments together: a transparent proxy that is never used, or else connection tracking, which costs more. */
  readonly defragmentBy: 'transparent-proxy' | 'connection-tracking';
  /** The netlink log group that gets ICMP errors. */
  readonly logGroup: number;
}

/** Which flows a map holds. In a `one` map the port that is not in the key is unknown and left alone. */
export interface MapForm {
  readonly protocol: TransportProtocol;
  readonly portOf: 'source' | 'destination';
  readonly ports: 'both' | 'one';
}

const forms: Record<RuleSetOptions['placement'], readonly MapForm[]> = {
  home: [
    { protocol: 'udp', portOf: 'destination', ports: 'both' },
    { protocol: 'tcp', portOf: 'destination', ports: 'one' },
    { protocol: 'tcp', portOf: 'source', ports: 'one' },
  ],
  'mobile-node': [
    { protocol: 'udp', portOf: 'destination', ports: 'one' },
    { protocol: 'udp', portOf: 'source', ports: 'one' },
    { protocol: 'tcp', portOf: 'destination', ports: 'one' },
    { protocol: 'tcp', portOf: 'source', ports: 'one' },
  ],
};

export function formsOf(placement: RuleSetOptions['placement']): readonly MapForm[] {
  return forms[placement];
}

export function mapName(form: MapForm): string {
  return `${form.protocol}_by_${form.portOf}_${form.ports}`;
}

export const ownedSet = 'owned';
export const errorSet = 'icmp_errors';
export const droppedCounter = 'dropped';
export const defragmentChain = 'defragment';

export interface Chain {
  readonly name: string;
  /** Absent: a chain that no packet enters, kept for what its rules turn on. */
  readonly hook?: {
    readonly type: 'filter' | 'route';
    readonly point: 'prerouting' | 'forward' | 'output';
    /** Ahead of the translating chains. */
    readonly isAhead?: boolean;
  };
  readonly rules: readonly (readonly Expression[])[];
}

export function chainsOf(family: IpFamily, options: RuleSetOptions): Chain[] {
  const layout = layouts[family];
  const isHome = options.placement === 'home';
  const translations = forms[options.placement].flatMap((form) => translationRules(layout, form, !isHome));
  const errors = icmpErrors(layout);
  const prerouting = isHome
    ? [
        ...pathMtuRules(layout, options.maximumSegmentSize),
        ...translations,
        fromGateway,
        ...strangerRules(layout, options),
      ]
    : [
        ...translations,
        fromGateway,
        [...notFromLoopback('input'), ...ownedAt(layout, layout.destination), ...drop],
      ];
  const output = isHome
    ? [[...errors, ...ownedAt(layout, layout.destination), verdict('drop')]]
    : [...translations, [...notFromLoopback('output'), ...ownedAt(layout, layout.source), ...drop]];
  const logged = [...errors, limit(ICMP_ERRORS_PER_SECOND), log(options.logGroup)];
  return [
    {
      name: 'prerouting',
      hook: { type: 'filter', point: 'prerouting' },
      rules: [...prerouting, logged],
    },
    {
      name: 'output',
      // Only in a chain of type route does a changed mark or source address make the kernel route again.
      hook: { type: isHome ? 'filter' : 'route', point: 'output' },
      rules: [logged, ...output],
    },
    // Its mere presence makes the kernel put fragments together before prerouting: only the first one has ports.
    { name: defragmentChain, rules: [defragmenters[options.defragmentBy](layout)] },
  ];
}

/** What has changed its version of IP (version-gateway.ts) was found in a map before that, and goes on as it is. */
const fromGateway: readonly Expression[] = [
  ...isGateway('inputInterfaceName'),
  withoutTracking(),
  verdict('accept'),
];

/** Of a mobile node that is no router but for packets that change their version of IP. */
export const guardChain: Chain = {
  name: 'guard',
  hook: { type: 'filter', point: 'forward' },
  rules: [
    [...isGateway('inputInterfaceName'), verdict('accept')],
    [...isGateway('outputInterfaceName'), verdict('accept')],
    [verdict('drop')],
  ],
};

/** Nobody outside reaches the gateway by its own addresses: only what a map has sent there has been asked for its source. */
export function entryChain(family: IpFamily): Chain {
  const { destination } = layouts[family];
  const isPlaceholder =
    family === 4
      ? [
          loadHeader('network', destination, 4, 0),
          maskWith(0, Uint8Array.of(255, 254, 0, 0)),
          compare(0, 'equal', Uint8Array.of(198, 18, 0, 0)),
        ]
      : [
          loadHeader('network', destination, 12, 0),
          compare(0, 'equal', addressOctets(placeholder(6, 0, 0)).subarray(0, 12)),
        ];
  const hook = { type: 'filter', point: 'prerouting', isAhead: true } as const;
  return { name: 'entry', hook, rules: [[...isPlaceholder, ...drop]] };
}

function isGateway(name: 'inputInterfaceName' | 'outputInterfaceName'): Expression[] {
  return [loadMeta(metaKey[name], 0), compare(0, 'equal', new TextEncoder().encode(gatewayDevice))];
}

/** Only transports that draw conclusions from the order of their packets wait for it. */
export const heldForms: readonly MapForm[] = forms['mobile-node'].filter(
  ({ protocol }) => protocol === 'tcp',
);

export const acknowledgmentSet = 'acknowledgments';

/** Flows that only are to be told of. */
export function watchedName(form: MapForm): string {
  return `watched_${mapName(form)}`;
}

/**
 * Lengths and flags of TCP segments without payload, for each length of the TCP header: their order does not matter, and to hold them
 * would stop a sender in the other direction. Key: the IP header's length field, the TCP header's length and its flags FIN, SYN and RST.
 */
export function acknowledgmentKeys(family: IpFamily): Uint8Array[] {
  const { networkLengthIncludes } = layouts[family];
  return Array.from({ length: 11 }, (_, index) => {
    const words = 5 + index;
    return Uint8Array.of(0, networkLengthIncludes + 4 * words, 0, 0, words << 4, 0, 0, 0);
  });
}

/** Segments of held flows wait in a netlink queue, as they come in or as programs send them; of watched flows the log group of that number hears. */
export function holdChain(
  family: IpFamily,
  point: 'prerouting' | 'output',
  queue: number,
  by: 'nftables' | 'iptables',
): Chain {
  const layout = layouts[family];
  const inSequenceOf = (form: MapForm, set: string): Expression[] => [
    ...isProtocol(form.protocol),
    ...loadKey(layout, form.portOf),
    lookUp(set, 0),
    loadHeader('network', layout.networkLength, 2, 0),
    loadHeader('transport', 12, 2, 1),
    maskWith(1, Uint8Array.of(0xf0, TCP_FIN | TCP_SYN | TCP_RST)),
    lookUpAbsent(acknowledgmentSet, 0),
  ];
  const rules = [
    ...heldForms.map((form) => [...inSequenceOf(form, mapName(form)), queueIn(queue, by)]),
    ...heldForms.map((form) => [...inSequenceOf(form, watchedName(form)), log(queue)]),
  ];
  return { name: 'hold', hook: { type: 'filter', point, isAhead: true }, rules };
}

const defragmenters: Record<RuleSetOptions['defragmentBy'], (layout: Layout) => Expression[]> = {
  'transparent-proxy': ({ addressFamily }) => [
    loadConstant(0, uint16(1)),
    transparentProxy(addressFamily, 0),
  ],
  'connection-tracking': () => [loadTrackingState(0)],
};

/** Whether a map of this form holds a flow with this rewrite. */
export function suits(form: MapForm, key: FlowKey, rewrite: Rewrite): boolean {
  const otherPort = key.portOf === 'destination' ? rewrite.sourcePort : rewrite.destinationPort;
  const ports = otherPort === undefined ? 'one' : 'both';
  return form.protocol === key.protocol && form.portOf === key.portOf && form.ports === ports;
}

/** Elements of the map of that form: keys are source, destination and port, data are mark, source, destination and ports. */
export function elementsOf(table: string, family: IpFamily, form: MapForm): SetElements {
  const { addressLength } = layouts[family];
  return new SetElements(table, mapName(form), 2 * addressLength + 4, 2 * addressLength + 8);
}

/** The same without data, as for deleting. */
export function elementKeysOf(
  table: string,
  family: IpFamily,
  form: MapForm,
  set: string = mapName(form),
): SetElements {
  return new SetElements(table, set, 2 * layouts[family].addressLength + 4);
}

/** Adds the element of a flow; with data, in which is what will be written into its packets, when there is a version. */
export function appendElement(elements: SetElements, key: FlowKey, version?: SelectedVersion): void {
  const at = elements.append();
  const keyAt = at + elements.keyOffset;
  const destinationAt = keyAt + setAddress(elements.octets, keyAt, key.source);
  const portAt = destinationAt + setAddress(elements.octets, destinationAt, key.destination);
  setUint16(elements.octets, portAt, key.port);
  if (version) setElementData(elements.octets, at + elements.dataOffset, key, version);
}

function setElementData(
  octets: Uint8Array,
  at: number,
  key: FlowKey,
  { mark, rewrite }: SelectedVersion,
): void {
  const isByDestination = key.portOf === 'destination';
  const keyPort = (isByDestination ? rewrite.destinationPort : rewrite.sourcePort) ?? key.port;
  const otherPort = isByDestination ? rewrite.sourcePort : rewrite.destinationPort;
  // The mark is a number to the kernel, in its own (little-endian) order.
  for (let i = 0; i < 4; i++) octets[at + i] = mark >>> (8 * i);
  const destinationAt = at + 4 + setAddress(octets, at + 4, rewrite.source ?? key.source);
  const portsAt = destinationAt + setAddress(octets, destinationAt, rewrite.destination ?? key.destination);
  // With one port known, it comes first, wherever it is to be written.
  const keyPortIsFirst = otherPort === undefined || !isByDestination;
  setUint16(octets, portsAt, keyPortIsFirst ? keyPort : otherPort);
  setUint16(octets, portsAt + 2, keyPortIsFirst ? (otherPort ?? 0) : keyPort);
}

/** Gives the address's length. */
function setAddress(octets: Uint8Array, at: number, address: string): number {
  const value = addressOctets(address);
  for (let i = 0; i < value.length; i++) octets[at + i] = value[i] ?? 0;
  return value.length;
}

function setUint16(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >> 8;
  octets[at + 1] = value;
}

/** Where things are in a packet, and in registers: a key is source, destination, port; data are mark, source, destination, ports. */
interface Layout {
  readonly addressFamily: number;
  readonly addressLength: number;
  readonly source: number;
  readonly destination: number;
  readonly addressWords: number;
  readonly networkChecksum?: number;
  /** Of the packet (IPv4), or of what follows the header (IPv6). */
  readonly networkLength: number;
  /** How much of the header that length counts. */
  readonly networkLengthIncludes: number;
  readonly icmpProtocol: number;
  readonly fixedHeaders: number;
}

const layouts: Record<IpFamily, Layout> = {
  4: {
    addressFamily: 2,
    addressLength: 4,
    source: 12,
    destination: 16,
    addressWords: 1,
    networkChecksum: 10,
    networkLength: 2,
    networkLengthIncludes: 20,
    icmpProtocol: 1,
    fixedHeaders: 40,
  },
  6: {
    addressFamily: 10,
    addressLength: 16,
    source: 8,
    destination: 24,
    addressWords: 4,
    networkLength: 4,
    networkLengthIncludes: 0,
    icmpProtocol: 58,
    fixedHeaders: 60,
  },
};

const transportProtocol = { udp: 17, tcp: 6 } as const;
const transportChecksum = { udp: 6, tcp: 16 } as const;

/**
 * Data are looked up into the registers of the key, which nobody needs any more. UDP takes two rules: the kernel would "update" a
 * checksum of zero, which means none (RFC 768), into a wrong one.
 */
function translationRules(layout: Layout, form: MapForm, marks: boolean): Expression[][] {
  const { protocol, portOf, ports } = form;
  const checksum = { offset: transportChecksum[protocol] };
  const portRegister = 1 + 2 * layout.addressWords;
  const [offset, length] = ports === 'both' ? [0, 4] : [portOf === 'source' ? 0 : 2, 2];
  const translate = (checksumUpdate: { offset?: number }): Expression[] => [
    ...loadKey(layout, portOf),
    lookUp(mapName(form), 0, 0),
    ...(marks ? [setMeta(metaKey.mark, 0)] : []),
    writeHeader('network', layout.source, 2 * layout.addressLength, 1, {
      ...(layout.networkChecksum !== undefined && { offset: layout.networkChecksum }),
      pseudoHeader: true,
    }),
    writeHeader('transport', offset, length, portRegister, checksumUpdate),
    withoutTracking(),
    verdict('accept'),
  ];
  if (protocol === 'tcp') return [[...isProtocol('tcp'), ...translate(checksum)]];
  const checksumIs = (operator: 'equal' | 'not-equal'): Expression[] => [
    ...isProtocol('udp'),
    loadHeader('transport', transportChecksum.udp, 2, 0),
    compare(0, operator, zeros2),
  ];
  return [
    [...checksumIs('not-equal'), ...translate(checksum)],
    [...checksumIs('equal'), ...translate({})],
  ];
}

function loadKey(layout: Layout, portOf: MapForm['portOf']): Expression[] {
  return [
    loadHeader('network', layout.source, 2 * layout.addressLength, 0),
    loadHeader('transport', portOf === 'source' ? 0 : 2, 2, 2 * layout.addressWords),
  ];
}

/**
 * Two ways out of a black hole behind the translator, beside the ICMP errors that are translated: TCP learns a segment size that fits
 * common tunnels, and UDP may be fragmented on the way (RFC 791; the identification that an unfragmentable datagram may lack, RFC 6864 §4.1, is
 * given then). Datagrams up to 576 octets, which every link carries whole, are left alone.
 */
function pathMtuRules(layout: Layout, maximumSegmentSize: number): Expression[][] {
  const clamp = [
    ...isProtocol('tcp'),
    loadHeader('transport', 13, 1, 0),
    maskWith(0, Uint8Array.of(TCP_SYN)),
    compare(0, 'not-equal', Uint8Array.of(0)),
    ...ownedAt(layout, layout.destination),
    loadConstant(0, uint16(maximumSegmentSize)),
    clampSegmentSize(0),
  ];
  if (layout.networkChecksum === undefined) return [clamp];
  const [totalLength, identification, flags, dontFragment] = [2, 4, 6, uint16(0x4000)];
  const allowFragments = [
    ...isProtocol('udp'),
    loadHeader('network', totalLength, 2, 0),
    compare(0, 'greater', uint16(576)),
    loadHeader('network', flags, 2, 0),
    maskWith(0, dontFragment),
    compare(0, 'not-equal', zeros2),
    ...ownedAt(layout, layout.destination),
    // In the host's (little-endian) order the upper half of the number is zero: an identification, and no flags.
    loadCounter16(0),
    writeHeader('network', identification, 4, 0, { offset: layout.networkChecksum }),
  ];
  return [clamp, allowFragments];
}

/** What matched no flow: nobody latches onto a stream, and nobody outside uses one of our own addresses as source. */
function strangerRules(layout: Layout, { firstPort, lastPort }: RuleSetOptions): Expression[][] {
  const isTranslated = [
    ...ownedAt(layout, layout.destination),
    loadHeader('transport', 2, 2, 0),
    compare(0, 'greater', uint16(firstPort - 1)),
    ...(lastPort === 65535 ? [] : [compare(0, 'less', uint16(lastPort + 1))]),
  ];
  const isSpoofed = [
    ...notFromLoopback('input'),
    loadSourceAddressType(0),
    compare(0, 'equal', hostUint32(RTN_LOCAL)),
  ];
  return [
    [...isProtocol('udp'), ...isTranslated, ...drop],
    [...isProtocol('tcp'), ...isTranslated, ...drop],
    // The kernel itself would refuse these, had translation before routing not needed accept_local.
    ...(layout.addressLength === 4 ? [[...isSpoofed, ...drop]] : []),
  ];
}

function icmpErrors(layout: Layout): Expression[] {
  return [
    loadMeta(metaKey.transportProtocol, 0),
    compare(0, 'equal', Uint8Array.of(layout.icmpProtocol)),
    loadHeader('transport', 0, 1, 0),
    lookUp(errorSet, 0),
  ];
}

/** ICMP types that report an error about a packet (RFC 792; RFC 4443 §2.1). */
export function icmpErrorTypes(family: IpFamily): readonly number[] {
  const [unreachable, timeExceeded, parameterProblem] = [3, 11, 12];
  return family === 4 ? [unreachable, timeExceeded, parameterProblem] : [1, 2, 3, 4];
}

function isProtocol(protocol: TransportProtocol): Expression[] {
  return [
    loadMeta(metaKey.transportProtocol, 0),
    compare(0, 'equal', Uint8Array.of(transportProtocol[protocol])),
  ];
}

function ownedAt(layout: Layout, offset: number): Expression[] {
  return [loadHeader('network', offset, layout.addressLength, 0), lookUp(ownedSet, 0)];
}

/** The loopback interface is always number 1. */
function notFromLoopback(direction: 'input' | 'output'): Expression[] {
  const key = direction === 'input' ? metaKey.inputInterface : metaKey.outputInterface;
  return [loadMeta(key, 0), compare(0, 'not-equal', hostUint32(1))];
}

const drop: readonly Expression[] = [countIn(droppedCounter), verdict('drop')];

const TCP_FIN = 0x01;
const TCP_SYN = 0x02;
const TCP_RST = 0x04;
const RTN_LOCAL = 2;
/** Errors are answers to single packets, so a burst of more says that something floods: enough for 1,000 bindings that break at once. */
const ICMP_ERRORS_PER_SECOND = 1000;
const zeros2 = new Uint8Array(2);

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function hostUint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
