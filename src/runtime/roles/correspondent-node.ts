/** The role `correspondent-node` (TRIM fig. 1): an ordinary terminal over real sockets, which answers every call. */
import { CorrespondentNode } from '../../correspondent-node/correspondent-node.ts';
import { secondsOf } from '../configuration/configuration-values.ts';
import {
  type CorrespondentNodeConfiguration,
  correspondentNodeSchema,
} from '../configuration/correspondent-node.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { digestSecretOf } from '../configuration/user-credentials.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const correspondentNodeRole: Role<CorrespondentNodeConfiguration> = {
  name: 'correspondent-node',
  schema: correspondentNodeSchema,
  start: startCorrespondentNode,
};

function startCorrespondentNode(configuration: CorrespondentNodeConfiguration, host: RoleHost): RunningRole {
  const { sip, identity, register, media, reservation, ring, tls } = configuration;
  const mediaAddress = configuration['media-address'];
  const machine = new CorrespondentNode({
    sip,
    tls: tls && { port: tls.port, serverName: tls['server-name'] },
    identity: {
      publicIdentity: identity.public,
      privateIdentity: identity.private,
      password: digestSecretOf(identity),
      homeDomain: identity['home-domain'],
    },
    expiresSeconds: identity.expires / 1000,
    registers: register,
    outboundProxy: configuration['outbound-proxy'],
    media,
    withReservation: reservation,
    ringMs: ring,
    sessionSeconds: secondsOf(configuration['session-interval']),
    random: host.random,
    ...(mediaAddress !== undefined && { mediaAddress }),
  });
  const loop = host.run({
    name: correspondentNodeRole.name,
    machine,
    tls: toTlsCredentials(tls),
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
    isFinished: () => machine.isStopped,
  });
  const call = ({ parameters }: { readonly parameters: Readonly<Record<string, unknown>> }) => {
    let handle = 0;
    loop.perform((now) => {
      handle = machine.placeCall(String(parameters['to']), now);
    });
    return { call: handle };
  };
  const hangUp = ({ parameters }: { readonly parameters: Readonly<Record<string, unknown>> }) =>
    loop.perform((now) => machine.hangUp(Number(parameters['call']), now));
  return configuration.control === undefined
    ? {}
    : { control: { path: configuration.control, commands: { call, 'hang-up': hangUp } } };
}
