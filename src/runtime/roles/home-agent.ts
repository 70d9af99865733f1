/**
 * The role `home-agent` (MIP–SIP fig. 3): the machine of home-network/home-agent, its bindings in a journal on disk, its tunnels and its
 * hold on the home link in the kernel of this network namespace. With `role: correspondent` the same for packets of this host alone.
 */
import { join } from 'node:path';
import { formatTransportAddress } from '../../base/network.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { HomeAgent } from '../../home-network/home-agent/home-agent.ts';
import type { HomeAgentInput, ServedMobileNode } from '../../home-network/home-agent/home-agent-options.ts';
import { addressesOf, forwardingBinding } from '../../home-network/home-agent/mobility-record.ts';
import {
  type HomeAgentConfiguration,
  homeAgentSchema,
  type ServedMobileNodeConfiguration,
} from '../configuration/home-agent.ts';
import { toSecurityAssociation } from '../configuration/mobile-ip-values.ts';
import type { ControlCommands } from '../control-server.ts';
import { HomeAgentKernel } from '../home-agent-kernel.ts';
import { startSipProxyFunction } from '../home-agent-sip.ts';
import { JournalFile, readJournal } from '../journal-file.ts';
import { monotonicNow } from '../monotonic-clock.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';
import { asNotPermitted } from '../run-role.ts';

export const homeAgentRole: Role<HomeAgentConfiguration> = {
  name: 'home-agent',
  schema: homeAgentSchema,
  start: startHomeAgent,
};

function startHomeAgent(configuration: HomeAgentConfiguration, host: RoleHost): RunningRole {
  // Before the journal: while another home agent has the device, it also has the journal.
  const kernel = openKernel(configuration, host);
  const path = join(configuration.journal, 'bindings.journal');
  const machine = createMachine(configuration, readJournal(path));
  const journal = new JournalFile(path, () => machine.journalSnapshot());
  journal.replace();
  const sip = startSipProxyFunction(configuration, host, (homeAddress) =>
    addressesOf(machine.record(homeAddress)),
  );
  const loop = host.run({
    name: configuration.role,
    machine,
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    openPort: (local, owner) => kernel.ports.open(local, owner),
    onEvent: (event) => {
      if (event.type === 'binding-changed') sip?.handleInput({ ...event, kind: 'binding-changed' });
    },
    onEffect: (effect) => {
      if (effect.type !== 'journal') kernel.perform(effect);
      else journal.append(effect.line, (error) => loop.handleInput(completionOf(effect.id, error)));
    },
  });
  const commands: ControlCommands = {
    status: () => statusOf(machine, configuration, kernel),
    revoke: ({ parameters }) => {
      const revocation = revocationOf(machine, configuration, parameters);
      loop.handleInput(revocation);
      return { outcome: 'begun' };
    },
  };
  return {
    ...(configuration.control && { control: { path: configuration.control, commands } }),
    close: async () => {
      await journal.close();
      await kernel.close();
    },
  };
}

function openKernel(configuration: HomeAgentConfiguration, host: RoleHost): HomeAgentKernel {
  const { address, device, port, 'home-link': homeLink } = configuration;
  const place = homeLink === undefined ? { correspondentAddress: address } : { homeLink: homeLink.interface };
  try {
    return new HomeAgentKernel({ device, port, place }, (event) => host.report(configuration.role, event));
  } catch (error) {
    throw asNotPermitted(error, 'the kernel does not let this process have tunnels');
  }
}

function createMachine(configuration: HomeAgentConfiguration, journal: readonly string[]): HomeAgent {
  return new HomeAgent({
    address: configuration.address,
    role: configuration.role,
    port: configuration.port,
    mobileNodes: configuration['mobile-nodes'].map(servedMobileNode),
    timeOfDayOffsetMs: Date.now() - monotonicNow(),
    timestampToleranceMs: configuration['timestamp-tolerance'],
    maximumLifetimeSeconds: seconds(configuration.lifetime),
    maximumLifetimeBehindNatSeconds: seconds(configuration['lifetime-behind-nat']),
    keepaliveSeconds: seconds(configuration.keepalive),
    journal,
  });
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function servedMobileNode(configured: ServedMobileNodeConfiguration): ServedMobileNode {
  const { identifier, multipath, encapsulation } = configured;
  return {
    homeAddress: configured['home-address'],
    ...(identifier !== undefined && { networkAccessIdentifier: identifier }),
    securityAssociations: configured['security-associations'].map(toSecurityAssociation),
    isMultipathAllowed: multipath,
    encapsulation,
  };
}

function completionOf(id: number, error: string | undefined): HomeAgentInput {
  return { kind: 'effect-completed', id, ...(error !== undefined && { error }) };
}

function statusOf(machine: HomeAgent, configuration: HomeAgentConfiguration, kernel: HomeAgentKernel) {
  const now = monotonicNow();
  const records = configuration['mobile-nodes'].map((node) => machine.record(node['home-address']));
  return {
    bindings: machine.bindings,
    mobileNodes: records
      .filter(({ bindings }) => bindings.length > 0)
      .map((record) => ({
        homeAddress: record.homeAddress,
        forwardsTo: forwardingBinding(record)?.careOfAddress,
        bindings: record.bindings.map(({ careOfAddress, bindingId, remote, expiresAt }) => ({
          careOfAddress,
          ...(bindingId !== undefined && { bindingId }),
          ...(remote.address !== careOfAddress && { behind: formatTransportAddress(remote) }),
          expiresInSeconds: Math.max(0, Math.round((expiresAt - now) / 1000)),
        })),
      })),
    refusals: Object.fromEntries(machine.refusals),
    tunnel: kernel.counters,
  };
}

function revocationOf(
  machine: HomeAgent,
  configuration: HomeAgentConfiguration,
  parameters: Readonly<Record<string, unknown>>,
): HomeAgentInput {
  const homeAddress = String(parameters['home-address']);
  const careOfAddress = parameters['care-of-address'];
  const known = configuration['mobile-nodes'].some((node) => node['home-address'] === homeAddress);
  if (!known)
    throw new TrimaranError('UNKNOWN_MOBILE_NODE', `no mobile node has the home address ${homeAddress}`, {
      remedy: 'The home addresses with bindings are in the status of the home agent.',
    });
  const { bindings } = machine.record(homeAddress);
  const isBound =
    careOfAddress === undefined
      ? bindings.length > 0
      : bindings.some((one) => one.careOfAddress === careOfAddress);
  if (!isBound)
    throw new TrimaranError('NOT_BOUND', `${homeAddress} has no such binding now`, {
      remedy: 'Its bindings are in the status of the home agent.',
    });
  return {
    kind: 'revoke',
    homeAddress,
    ...(careOfAddress !== undefined && { careOfAddress: String(careOfAddress) }),
  };
}
