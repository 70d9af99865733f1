/**
 * The role `address-translator` (TRIM fig. 2): the machine of home-network/address-translator over real sockets, its transactions carried
 * out by nftables in the kernel of this network namespace.
 */
import { familyOf } from '../../base/ip-address.ts';
import type { TrimaranError } from '../../base/trimaran-error.ts';
import { NftablesTranslator } from '../../drivers/linux/nftables-translator.ts';
import { canChangeVersions } from '../../drivers/linux/version-gateway.ts';
import {
  AddressTranslator,
  type AddressTranslatorEffect,
  type AddressTranslatorInput,
} from '../../home-network/address-translator/address-translator.ts';
import { maximumFlows } from '../../home-network/address-translator/limits.ts';
import {
  type AddressTranslatorConfiguration,
  addressTranslatorSchema,
} from '../configuration/address-translator.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';
import { asNotPermitted } from '../run-role.ts';

export const addressTranslatorRole: Role<AddressTranslatorConfiguration> = {
  name: 'address-translator',
  schema: addressTranslatorSchema,
  start: startAddressTranslator,
};

function startAddressTranslator(configuration: AddressTranslatorConfiguration, host: RoleHost): RunningRole {
  const { addresses, 'first-port': firstPort, 'last-port': lastPort } = configuration.pool;
  const engine = openEngine(configuration);
  if (new Set(addresses.map(familyOf)).size > 1) engine.expectBothVersions();
  const machine = new AddressTranslator({
    joinsVersions: canChangeVersions(),
    diameter: {
      originHost: configuration.identity,
      originRealm: configuration.realm,
      // Seconds since 1970 grow from one start to the next (RFC 6733 §8.16).
      originStateId: Math.floor(Date.now() / 1000),
      listen: [configuration.listen],
      peers: configuration.controllers.map((controller) => ({ host: controller })),
      random: host.random,
    },
    pool: { addresses, firstPort, lastPort },
    maximumSessions: configuration['maximum-sessions'],
    ...optional('graceTimeMs', configuration['grace-time']),
    ...optional('controllerGraceTimeMs', configuration['controller-grace-time']),
  });
  const loop = host.run({
    name: addressTranslatorRole.name,
    machine,
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    onEffect: (effect) => loop.handleInput(carryOut(effect, engine)),
  });
  const status = () => ({
    sessions: machine.sessions,
    bindings: machine.bindings,
    droppedPackets: engine.readDropped(),
  });
  return {
    ...(configuration.control && { control: { path: configuration.control, commands: { status } } }),
    close: () => engine.close(),
  };
}

function openEngine(configuration: AddressTranslatorConfiguration): NftablesTranslator {
  try {
    return NftablesTranslator.open({
      placement: 'home',
      addresses: configuration.pool.addresses,
      firstPort: configuration.pool['first-port'],
      lastPort: configuration.pool['last-port'],
      instance: configuration.instance,
      counters: true,
      capacity: maximumFlows(configuration['maximum-sessions']),
    });
  } catch (error) {
    throw asNotPermitted(error, 'the kernel does not let this process translate addresses');
  }
}

/** What the engine refuses is the answer to the transaction; the role goes on. */
function carryOut(effect: AddressTranslatorEffect, engine: NftablesTranslator): AddressTranslatorInput {
  const { id } = effect;
  if (effect.type === 'read-counters')
    return { kind: 'counters-read', id, counters: effect.keys.map((key) => engine.readCounter(key)) };
  try {
    engine.apply(effect.operations);
    return { kind: 'effect-completed', id };
  } catch (error) {
    return { kind: 'effect-completed', id, error: (error as TrimaranError).message };
  }
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [K in Name]?: Value });
}
