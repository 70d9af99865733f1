/** The role `trim-as` (TRIM fig. 2): the machine of home-network/trim-as over real sockets. It needs no rights. */
import { TrimApplicationServer } from '../../home-network/trim-as/trim-application-server.ts';
import { secondsOf } from '../configuration/configuration-values.ts';
import { toSip } from '../configuration/sip-values.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { type TrimAsConfiguration, trimAsSchema } from '../configuration/trim-as.ts';
import type { ControlRequest } from '../control-server.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const trimAsRole: Role<TrimAsConfiguration> = {
  name: 'trim-as',
  schema: trimAsSchema,
  start: startTrimAs,
};

function startTrimAs(configuration: TrimAsConfiguration, host: RoleHost): RunningRole {
  const { identity, realm, translators, tls } = configuration;
  const machine = new TrimApplicationServer({
    ...toSip(configuration),
    diameter: {
      originHost: identity,
      originRealm: realm,
      // Seconds since 1970 grow from one start to the next (RFC 6733 §8.16).
      originStateId: Math.floor(Date.now() / 1000),
      peers: translators.map(({ identity: name, address }) => ({ host: name, address })),
      timers: {
        watchdogMs: configuration.watchdog,
        reconnectMs: configuration.reconnect,
        requestMs: configuration['request-timeout'],
      },
    },
    translators: translators.map(({ identity: name, weight }) => ({ host: name, weight })),
    graceMs: configuration['grace-time'],
    maximumSessions: configuration['maximum-sessions'],
    sessionSeconds: secondsOf(configuration['session-interval']),
    random: host.random,
  });
  host.run({
    name: trimAsRole.name,
    machine,
    tls: toTlsCredentials(tls),
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    isFinished: () => machine.sessionCount === 0,
  });
  const status = () => ({ sessions: machine.sessionCount, translators: machine.translators });
  /** Every message that it sends and receives, while the caller stays. */
  const watch = ({ sendEvent, signal }: ControlRequest) =>
    new Promise<void>((resolve) => {
      const stop = host.watchMessages(sendEvent);
      signal.addEventListener('abort', () => {
        stop();
        resolve();
      });
    });
  return configuration.control === undefined
    ? {}
    : { control: { path: configuration.control, commands: { status, watch } } };
}
