/**
 * The role `mobile-node` (TRIM fig. 3(b); MIP–SIP §3): the machine of mobile-node/mobile-node.ts over real sockets, its effects carried out by the kernel
 * of this network namespace.
 */

import type { Instant } from '../../base/instant.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { canChangeVersions } from '../../drivers/linux/version-gateway.ts';
import type { DecisionHistory } from '../../mobile-node/access-selection/access-selection.ts';
import { PreferenceOrder } from '../../mobile-node/access-selection/preference-order.ts';
import type { AccessOptions } from '../../mobile-node/attached-access.ts';
import { MobileNode } from '../../mobile-node/mobile-node.ts';
import type { MobileNodeOptions } from '../../mobile-node/mobile-node-options.ts';
import { createSelector, flowClassesOf } from '../configuration/access-policy.ts';
import { toSecurityAssociation } from '../configuration/mobile-ip-values.ts';
import {
  type AccessConfiguration,
  type MobileNodeConfiguration,
  mobileNodeSchema,
} from '../configuration/mobile-node.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { digestSecretOf } from '../configuration/user-credentials.ts';
import type { ControlCommands } from '../control-server.ts';
import type { EventLoop } from '../event-loop.ts';
import { MobileNodeKernel } from '../mobile-node-kernel.ts';
import { monotonicNow } from '../monotonic-clock.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';
import { asNotPermitted } from '../run-role.ts';

export const mobileNodeRole: Role<MobileNodeConfiguration> = {
  name: 'mobile-node',
  schema: mobileNodeSchema,
  start: startMobileNode,
};

function startMobileNode(configuration: MobileNodeConfiguration, host: RoleHost): RunningRole {
  const machine = createMachine(configuration, host);
  const kernel = openKernel(configuration, (input) => loop.handleInput(input));
  const { ports } = kernel;
  const loop = host.run({
    name: mobileNodeRole.name,
    machine,
    tls: toTlsCredentials(configuration.tls),
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    isFinished: () => machine.isStopped,
    ...(ports && { openPort: (local, owner) => ports.open(local, owner) }),
    onEffect: (effect) => kernel.perform(effect),
  });
  kernel.watchNetwork();
  return {
    control: { path: configuration.control, commands: commandsOf(machine, loop) },
    close: () => kernel.close(),
  };
}

function createMachine(configuration: MobileNodeConfiguration, host: RoleHost): MobileNode {
  const { accesses, policy, tls } = configuration;
  const identity = identityOf(configuration);
  return new MobileNode({
    ...(identity && { identity }),
    registration: configuration.registration,
    internalAddress: configuration['internal-address'],
    applicationPort: configuration['application-port'],
    signallingPort: configuration['signalling-port'],
    tls: tls && { port: tls.port, serverName: tls['server-name'] },
    accesses: accesses.map(accessOptions),
    selector:
      policy === undefined
        ? new PreferenceOrder(accesses.map(({ name }) => name))
        : createSelector(policy, accesses),
    ...mobileIpOf(configuration),
    withReservation: configuration.reservation,
    joinsVersions: canChangeVersions(),
    graceMs: configuration['grace-time'],
    releaseAfterMs: configuration['release-after'],
    random: host.random,
  });
}

/** Whole when the node registers itself, which the schema has seen to. */
function identityOf({ identity }: MobileNodeConfiguration): MobileNodeOptions['identity'] {
  if (identity === undefined) return undefined;
  const { public: publicIdentity, private: privateIdentity, instance } = identity;
  const homeDomain = identity['home-domain'];
  if (privateIdentity === undefined || homeDomain === undefined || instance === undefined)
    return { publicIdentity };
  const password = digestSecretOf(identity);
  return {
    publicIdentity,
    privateIdentity,
    password,
    homeDomain,
    instance,
    expiresSeconds: identity.expires / 1000,
  };
}

function mobileIpOf({
  'mobile-ip': configured,
  policy,
}: MobileNodeConfiguration): Pick<MobileNodeOptions, 'mobileIp'> {
  if (configured === undefined) return {};
  const { identifier, port, encapsulation } = configured;
  return {
    mobileIp: {
      homeAddress: configured['home-address'],
      homeAgent: { address: configured['home-agent'], port },
      ...(identifier !== undefined && { networkAccessIdentifier: identifier }),
      securityAssociation: toSecurityAssociation(configured['security-association']),
      port,
      lifetimeSeconds: Math.floor(configured.lifetime / 1000),
      encapsulation,
      probeIntervalMs: configured['probe-interval'],
      missedProbes: configured['missed-probes'],
      flowClasses: flowClassesOf(policy),
      correspondents: configured.correspondents.map((one) => ({
        address: one.address,
        securityAssociation: toSecurityAssociation(one['security-association']),
        lifetimeSeconds: Math.floor(one.lifetime / 1000),
      })),
      timeOfDayOffsetMs: Date.now() - monotonicNow(),
    },
  };
}

function accessOptions(access: AccessConfiguration, index: number): AccessOptions {
  const {
    name,
    interface: link,
    gateway,
    'proxy-cscf': proxyCscf,
    'access-network-info': accessNetworkInfo,
  } = access;
  return {
    name,
    interface: link,
    index: index + 1,
    ...(proxyCscf !== undefined && { proxyCscf }),
    ...(gateway !== undefined && { gateway }),
    ...(accessNetworkInfo !== undefined && { accessNetworkInfo }),
  };
}

function openKernel(
  configuration: MobileNodeConfiguration,
  onInput: ConstructorParameters<typeof MobileNodeKernel>[1],
): MobileNodeKernel {
  const { 'internal-address': internalAddress, 'mobile-ip': mobileIp } = configuration;
  try {
    return new MobileNodeKernel(
      {
        internalAddress,
        instance: 'mobile-node',
        ...(mobileIp && {
          tunnel: {
            homeAddress: mobileIp['home-address'],
            port: mobileIp.port,
            device: mobileIp.device,
          },
        }),
      },
      onInput,
    );
  } catch (error) {
    throw asNotPermitted(error, 'the kernel does not let this process route and translate packets');
  }
}

type Loop = Pick<EventLoop<never, never, never>, 'perform'>;

function commandsOf(machine: MobileNode, loop: Loop): ControlCommands {
  return {
    status: () => machine.status(),
    why: () => explain(machine),
    handover: ({ parameters }) => requestHandover(machine, loop, parameters['to']),
  };
}

/** With the present instant of the clock that decisions have, so that they can be told as "ago". */
function explain(machine: MobileNode): DecisionHistory & { readonly now: Instant } {
  return { now: monotonicNow(), ...machine.decisions };
}

function requestHandover(machine: MobileNode, loop: Loop, to: unknown): { readonly outcome: string } {
  let outcome = '';
  loop.perform((now) => {
    outcome = machine.requestHandover(String(to), now);
  });
  const known = machine.status().accesses.map(({ name }) => name);
  if (outcome === 'unknown access')
    throw new TrimaranError('UNKNOWN_ACCESS', `there is no access "${to}"`, {
      remedy: `The accesses of this node are ${known.join(', ')}.`,
    });
  if (outcome === 'not attached')
    throw new TrimaranError('NOT_ATTACHED', `the access "${to}" has no link or no address now`, {
      remedy: 'Bring its interface up and give it an address first.',
    });
  return { outcome };
}
