/**
 * The role `mobile-node` (TRIM fig. 3(b)): the machine of mobile-node/mobile-node.ts over real sockets, its effects carried out by the kernel
 * of this network namespace.
 */

import { TrimaranError } from '../../base/trimaran-error.ts';
import { PreferenceOrder } from '../../mobile-node/access-selection/preference-order.ts';
import type { AccessOptions } from '../../mobile-node/attached-access.ts';
import { MobileNode } from '../../mobile-node/mobile-node.ts';
import {
  type AccessConfiguration,
  type MobileNodeConfiguration,
  mobileNodeSchema,
} from '../configuration/mobile-node.ts';
import { digestSecretOf } from '../configuration/user-credentials.ts';
import type { ControlCommands } from '../control-server.ts';
import type { EventLoop } from '../event-loop.ts';
import { MobileNodeKernel } from '../mobile-node-kernel.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';
import { asNotPermitted } from '../run-role.ts';

export const mobileNodeRole: Role<MobileNodeConfiguration> = {
  name: 'mobile-node',
  schema: mobileNodeSchema,
  start: startMobileNode,
};

function startMobileNode(configuration: MobileNodeConfiguration, host: RoleHost): RunningRole {
  const { identity } = configuration;
  const machine = new MobileNode({
    identity: {
      publicIdentity: identity.public,
      privateIdentity: identity.private,
      password: digestSecretOf(identity),
      homeDomain: identity['home-domain'],
      instance: identity.instance,
      expiresSeconds: identity.expires / 1000,
    },
    internalAddress: configuration['internal-address'],
    applicationPort: configuration['application-port'],
    signallingPort: configuration['signalling-port'],
    accesses: configuration.accesses.map(accessOptions),
    selector: new PreferenceOrder(configuration.accesses.map(({ name }) => name)),
    withReservation: configuration.reservation,
    graceMs: configuration['grace-time'],
    releaseAfterMs: configuration['release-after'],
    random: host.random,
  });
  const kernel = openKernel(configuration, (input) => loop.handleInput(input));
  const loop = host.run({
    name: mobileNodeRole.name,
    machine,
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    isFinished: () => machine.isStopped,
    onEffect: (effect) => kernel.perform(effect),
  });
  kernel.watchNetwork();
  return {
    control: { path: configuration.control, commands: commandsOf(machine, loop) },
    close: () => kernel.close(),
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
    proxyCscf,
    ...(gateway !== undefined && { gateway }),
    ...(accessNetworkInfo !== undefined && { accessNetworkInfo }),
  };
}

function openKernel(
  configuration: MobileNodeConfiguration,
  onInput: ConstructorParameters<typeof MobileNodeKernel>[1],
): MobileNodeKernel {
  try {
    return new MobileNodeKernel(
      { internalAddress: configuration['internal-address'], instance: 'mobile-node' },
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
    handover: ({ parameters }) => requestHandover(machine, loop, parameters['to']),
  };
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
