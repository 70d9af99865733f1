/**
 * What a home agent does per registration: check the authenticator, judge, write the journal line, change the tunnel's state, answer. With
 * 10,000 mobile nodes bound, each renewed in turn; the journal is the list in memory, as the disk is the host's. Beside it the bare cost
 * of checking and making the two authenticators, which no agent can do without.
 */
import { HomeAgent } from '../src/home-network/home-agent/home-agent.ts';
import {
  type Authentication,
  isAuthentic,
  type SecurityAssociation,
} from '../src/protocols/mobile-ip/authentication.ts';
import type { Extension } from '../src/protocols/mobile-ip/extension.ts';
import {
  decodeMessage,
  encodeMessage,
  type RegistrationRequest,
} from '../src/protocols/mobile-ip/message.ts';
import { ntpTimestamp } from '../src/protocols/mobile-ip/timestamp.ts';
import type { Benchmark } from './harness.ts';

const association: SecurityAssociation = { spi: 256, algorithm: 'hmac-md5', key: Buffer.alloc(16, 7) };
const agentAddress = { address: '10.0.0.1', port: 434 };
const timeOfDayOffsetMs = 1_790_000_000_000;
const mobileNodes = Array.from({ length: 10_000 }, (_, index) => ({
  homeAddress: `10.1.${index >> 8}.${index & 255}`,
  securityAssociations: [association],
}));
const extensions: readonly Extension[] = [
  { kind: 'udp-tunnel-request', forced: true, throughForeignAgent: false, encapsulation: 4 },
  { kind: 'multipath', accessTechnology: 4, interfaceLabel: 1, bindingId: 1, bulk: false, overwrite: false },
  { kind: 'flow-binding', action: 'forward', bindingIds: [1], selector: {} },
];
const agent = new HomeAgent({ address: agentAddress.address, mobileNodes, timeOfDayOffsetMs });
let turn = 0;
let now = 0;

/** Requests are made beforehand: the mobile nodes' work is not the agent's. */
function requests(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    now += 0.01;
    return encodeMessage(requestOf(mobileNodes[turn++ % mobileNodes.length]!.homeAddress), association);
  });
}

function requestOf(homeAddress: string): RegistrationRequest {
  return {
    kind: 'registration-request',
    simultaneousBindings: false,
    broadcasts: false,
    decapsulationByMobileNode: true,
    minimalEncapsulation: false,
    genericRoutingEncapsulation: false,
    reverseTunnel: true,
    lifetimeSeconds: 300,
    homeAddress,
    homeAgent: agentAddress.address,
    careOfAddress: '192.0.2.10',
    identification: ntpTimestamp(now + timeOfDayOffsetMs),
    extensions,
  };
}

function register(payload: Uint8Array): void {
  const remote = { address: '192.0.2.10', port: 434 };
  agent.handleInput({ kind: 'datagram-received', local: agentAddress, remote, payload }, now);
  for (let output = agent.pollOutput(); output !== undefined; output = agent.pollOutput())
    if (output.kind === 'effect' && output.effect.type === 'journal')
      agent.handleInput({ kind: 'effect-completed', id: output.effect.id }, now);
}

function authenticate(payload: Uint8Array): void {
  const { message, authentication } = decodeMessage(payload) as {
    message: RegistrationRequest;
    authentication: Authentication;
  };
  if (!isAuthentic(payload, authentication, association)) throw new Error('the benchmark signs wrongly');
  encodeMessage(message, association);
}

for (const payload of requests(mobileNodes.length)) register(payload);

function perCpuSecond(work: (payload: Uint8Array) => void): number {
  const payloads = requests(5000);
  const start = process.cpuUsage();
  for (const payload of payloads) work(payload);
  const { user, system } = process.cpuUsage(start);
  return (payloads.length / (user + system)) * 1e6;
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'registrations at a home agent with 10,000 bindings',
    unit: 'registrations per CPU second',
    rounds: 5,
    variants: [
      { name: 'HomeAgent', sample: () => perCpuSecond(register) },
      { name: 'decode, check, encode, sign only', sample: () => perCpuSecond(authenticate) },
    ],
    requirements: [
      {
        text: '10,000 mobile nodes with four accesses and lifetimes of 60 s (1,333 renewals per second) take less than a fifth of a core',
        kind: 'must',
        isMet: (medianOf) => medianOf('HomeAgent') > 6_665 && agent.bindings === mobileNodes.length,
      },
    ],
  },
];
