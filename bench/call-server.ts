/**
 * One server of the call benchmarks, in a process of its own: the role `trim-as`, its translator, a function of the role `ims-core`, or a
 * proxy made of the npm package `sip`. Whoever started it asks over the channel for the processor time that it has used, ms, or for the octets of its heap that are in
 * use. The translator's bindings are confirmed at once; what they cost in the kernel is measured by nftables-cpu.bench.ts.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { TransportAddress } from '../src/base/network.ts';
import {
  AddressTranslator,
  type AddressTranslatorEffect,
} from '../src/home-network/address-translator/address-translator.ts';
import { type CoreFunction, imsCoreSchema } from '../src/runtime/configuration/ims-core.ts';
import { trimAsSchema } from '../src/runtime/configuration/trim-as.ts';
import { EventLoop } from '../src/runtime/event-loop.ts';
import { RoleHost } from '../src/runtime/role-host.ts';
import { imsCoreRole } from '../src/runtime/roles/ims-core.ts';
import { trimAsRole } from '../src/runtime/roles/trim-as.ts';
import { labAddresses } from '../src/testbed/lab-addresses.ts';
import { labDomain } from '../src/testbed/lab-users.ts';
import { telephones } from './call-load.ts';

export type ServerTask =
  | {
      readonly kind: 'trim-as';
      readonly local: TransportAddress;
      readonly translators: readonly TransportAddress[];
    }
  | { readonly kind: 'translator'; readonly local: TransportAddress; readonly pool: readonly string[] }
  /** At the addresses of the lab. */
  | { readonly kind: 'ims-core'; readonly local: TransportAddress; readonly function: CoreFunction }
  | { readonly kind: 'npm-sip'; readonly local: TransportAddress };

const start = {
  'trim-as': startTrimAs,
  translator: startTranslator,
  'ims-core': startCoreFunction,
  'npm-sip': startNpmSip,
} as const;

function startTrimAs({ local, translators }: Extract<ServerTask, { kind: 'trim-as' }>): void {
  const configuration = trimAsSchema.parse({
    sip: `${local.address}:${local.port}`,
    identity: 'trim-as.ims.test',
    realm: 'ims.test',
    translators: translators.map(({ address, port }) => ({
      identity: identityOf(address),
      address: `${address}:${port}`,
    })),
  });
  trimAsRole.start(configuration, new RoleHost({ report: () => {} }));
}

function startTranslator({ local, pool }: Extract<ServerTask, { kind: 'translator' }>): void {
  const machine = new AddressTranslator({
    diameter: {
      originHost: identityOf(local.address),
      originRealm: 'ims.test',
      originStateId: Math.floor(Date.now() / 1000),
      listen: [local],
      peers: [{ host: 'trim-as.ims.test' }],
      random: new RoleHost({ report: () => {} }).random,
    },
    pool: { addresses: pool, firstPort: 1024, lastPort: 65_535 },
  });
  const loop = new EventLoop({
    machine,
    onEffect: ({ type, id }: AddressTranslatorEffect) =>
      loop.handleInput(
        type === 'translate' ? { kind: 'effect-completed', id } : { kind: 'counters-read', id, counters: [] },
      ),
  });
  loop.perform((now) => machine.start(now));
}

/** The first of the telephones has the service of TRIM. */
function startCoreFunction({ function: one }: Extract<ServerTask, { kind: 'ims-core' }>): void {
  const sip = (address: string): string => `${address}:5060`;
  const configuration = imsCoreSchema.parse({
    functions: [one],
    domain: labDomain,
    'p-cscf': [sip(labAddresses.proxyCscf)],
    'i-cscf': sip(labAddresses.interrogatingCscf),
    's-cscf': sip(labAddresses.servingCscf),
    hss: `${labAddresses.homeSubscriberServer}:3868`,
    subscribers: telephones.map(({ user, password }, index) => ({
      'private-identity': `${user}@${labDomain}`,
      'public-identities': [`sip:${user}@${labDomain}`],
      password,
      ...(index === 0 && { 'trim-as': `sip:${sip(labAddresses.trimApplicationServer)}` }),
    })),
  });
  imsCoreRole.start(configuration, new RoleHost({ report: () => {} }));
}

interface SipPackageRequest {
  readonly method: string;
  uri: string;
  readonly headers: {
    route?: { uri: string }[];
    'record-route'?: { uri: string }[];
    readonly to: { readonly params: { readonly tag?: string } };
  };
}

/** A stateful proxy that stays in the route, as sipp/kamailio.cfg. */
function startNpmSip({ local }: Extract<ServerTask, { kind: 'npm-sip' }>): void {
  const proxy: {
    start(options: object, route: (request: SipPackageRequest) => void): void;
    send(request: SipPackageRequest): void;
  } = createRequire(import.meta.url)('sip/proxy');
  const own = `<sip:${local.address}:${local.port};lr>`;
  proxy.start({ ...local, tcp: false }, (request) => {
    const { headers } = request;
    headers.route?.shift();
    if (headers.to.params.tag === undefined)
      headers['record-route'] = [{ uri: own.slice(1, -1) }, ...(headers['record-route'] ?? [])];
    proxy.send(request);
  });
}

function identityOf(address: string): string {
  return `translator-${address.replaceAll('.', '-')}.ims.test`;
}

const task = JSON.parse(process.argv[2] ?? '') as ServerTask;
assert.ok(process.send !== undefined, 'started with a channel');
(start[task.kind] as (task: ServerTask) => void)(task);
process.on('message', (question) => {
  const { user, system } = process.cpuUsage();
  if (question === 'heap') (globalThis as { gc?: () => void }).gc?.();
  process.send?.(question === 'heap' ? process.memoryUsage().heapUsed : (user + system) / 1000);
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
