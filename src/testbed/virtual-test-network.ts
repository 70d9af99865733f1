/** What a scenario needs of a test network in virtual time, whichever paper's it is. */
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
  type CorrespondentNodeOptions,
} from '../correspondent-node/correspondent-node.ts';
import type { VirtualHost } from '../sim/virtual-host.ts';
import type { VirtualNetwork } from '../sim/virtual-network.ts';
import { labDomain, passwordOf, privateIdentityOf } from './lab-users.ts';
import type { VirtualMobileNode } from './virtual-mobile-node.ts';

export interface VirtualTestNetwork {
  readonly network: VirtualNetwork;
  readonly mobile: VirtualMobileNode;
  readonly correspondentHost: VirtualHost;
  /** A terminal on the mobile node's internal address, or the correspondent node. `name` stands in ladders. */
  addTerminal(
    where: 'mn' | 'cn',
    name: string,
    sipPort: number,
    options: Pick<CorrespondentNodeOptions, 'media' | 'ringMs'>,
  ): VirtualTerminal;
}

export interface VirtualTerminal {
  readonly terminal: CorrespondentNode;
  readonly events: CorrespondentNodeEvent[];
  readonly perform: (request: (now: number) => void) => void;
  /** Also called for each further event. */
  onEvent: ((event: CorrespondentNodeEvent) => void) | undefined;
}

export function startTerminal(
  host: VirtualHost,
  name: string,
  options: CorrespondentNodeOptions,
): VirtualTerminal {
  const events: CorrespondentNodeEvent[] = [];
  const terminal = new CorrespondentNode(options);
  const process = host.run<never, CorrespondentNodeEvent, never>({
    machine: terminal,
    name,
    onEvent: (event) => {
      events.push(event);
      running.onEvent?.(event);
    },
  });
  const running: VirtualTerminal = {
    terminal,
    events,
    perform: (request) => process.perform(request),
    onEvent: undefined,
  };
  process.perform((now) => terminal.start(now));
  return running;
}

export function identityOf(
  publicIdentity: string,
): CorrespondentNodeOptions['identity'] & { readonly password: string } {
  return {
    publicIdentity,
    privateIdentity: privateIdentityOf(publicIdentity),
    password: passwordOf(publicIdentity),
    homeDomain: labDomain,
  };
}
