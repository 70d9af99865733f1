/** The role `hss` (TRIM fig. 1): the machine of ims-core/hss over real sockets, its registrations in a journal. It needs no rights. */
import { TrimaranError } from '../../base/trimaran-error.ts';
import {
  HomeSubscriberServer,
  type HomeSubscriberServerEvent,
  terminationReason,
} from '../../ims-core/hss/home-subscriber-server.ts';
import { originStateId } from '../configuration/core-values.ts';
import { type HomeSubscriberServerConfiguration, homeSubscriberServerSchema } from '../configuration/hss.ts';
import { toSubscriber } from '../configuration/subscribers.ts';
import type { ControlCommands } from '../control-server.ts';
import { type RunningFunction, runJournaled } from '../journaled-function.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const homeSubscriberServerRole: Role<HomeSubscriberServerConfiguration> = {
  name: 'hss',
  schema: homeSubscriberServerSchema,
  start: startHomeSubscriberServer,
};

type Running = RunningFunction<HomeSubscriberServer, HomeSubscriberServerEvent>;

export function startHomeSubscriberServer(
  configuration: HomeSubscriberServerConfiguration,
  host: RoleHost,
): RunningRole<HomeSubscriberServerConfiguration> {
  const { identity, realm, cscfs, control, journal: directory } = configuration;
  const running: Running = runJournaled(host, {
    name: homeSubscriberServerRole.name,
    directory,
    create: (journal) =>
      new HomeSubscriberServer({
        diameter: {
          originHost: identity,
          originRealm: realm,
          originStateId: originStateId(),
          listen: [configuration.listen],
          peers: cscfs.map((name) => ({ host: name })),
          random: host.random,
        },
        subscribers: configuration.subscribers.map(toSubscriber),
        digestRealm: configuration['digest-realm'] ?? realm,
        ...(journal && { journal: journal.lines }),
      }),
  });
  const { machine, loop, close } = running;
  return {
    close,
    ...(control !== undefined && { control: { path: control, commands: commandsOf(running) } }),
    reload: ({ subscribers }) =>
      loop.perform((now) => machine.updateSubscribers(subscribers.map(toSubscriber), now)),
  };
}

function commandsOf({ machine, loop }: Running): ControlCommands {
  return {
    status: () => machine.counters,
    deregister: ({ parameters }) => {
      const user = String(parameters['private-identity']);
      let isRegistered = false;
      loop.perform((now) => {
        isRegistered = machine.terminate(user, terminationReason.permanentTermination, now);
      });
      if (!isRegistered)
        throw new TrimaranError('NOT_REGISTERED', `${user} is not registered`, {
          remedy: 'Give the private identity of a registered user, as it stands in the configuration.',
        });
      return { outcome: 'begun' };
    },
  };
}
