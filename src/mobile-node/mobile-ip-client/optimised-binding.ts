/**
 * The tunnels of a mobile node to its home agent and to correspondents as one wanted state (MIP–SIP §3, "and possibly to connected
 * correspondent nodes"): packets of a correspondent take the tunnel to it over the very access that they would take to the home agent, where
 * there is one, and the home agent's where there is none. So the policy decides the access, and route optimisation only the way behind it.
 * Without a home agent in reach the correspondents' tunnels stand alone.
 */
import { sameTransportAddress } from '../../base/network.ts';
import type { TunnelBinding, TunnelEndpoint, TunnelRule } from '../../protocols/mobile-ip/tunnel-state.ts';

export interface CorrespondentTunnel {
  readonly correspondentAddress: string;
  /**
   * Its packets are accepted here, with a binding or without: it begins to send before its reply is here, and ends after. Nobody could
   * send anything so that he could not send by way of the home agent.
   */
  readonly accepted: readonly TunnelEndpoint[];
  /** As registered with it; undefined: nothing is sent there. */
  readonly binding: TunnelBinding | undefined;
}

/** undefined: nothing is bound anywhere. */
export function optimisedBinding(
  home: TunnelBinding | undefined,
  correspondents: readonly CorrespondentTunnel[],
): TunnelBinding | undefined {
  const any = home ?? correspondents.find(({ binding }) => binding !== undefined)?.binding;
  if (any === undefined) return undefined;
  return {
    ...any,
    endpoints: [
      ...(home?.endpoints ?? []),
      ...correspondents.flatMap((one) => one.accepted.map((endpoint) => only(endpoint, one))),
    ],
    rules: [...correspondents.flatMap((one) => rulesOf(one, home)), ...(home?.rules ?? [])],
  };
}

/** Where packets of no particular class to this correspondent leave directly; undefined: they do not. */
export function directEndpoint(
  { rules }: TunnelBinding,
  correspondentAddress: string,
): TunnelEndpoint | undefined {
  const rule = rules.find(
    ({ selector }) =>
      selector.correspondentAddress === correspondentAddress && Object.keys(selector).length === 1,
  );
  return rule?.endpoints.find((endpoint) => endpoint.correspondentAddress === correspondentAddress);
}

function rulesOf(correspondent: CorrespondentTunnel, home: TunnelBinding | undefined): TunnelRule[] {
  const { binding, correspondentAddress } = correspondent;
  if (binding === undefined) return [];
  return (home ?? binding).rules.flatMap(({ selector, endpoints }) => {
    const { correspondentAddress: named = correspondentAddress } = selector;
    if (named !== correspondentAddress) return [];
    const directly = endpoints.map((endpoint) => {
      const direct = binding.endpoints.find(({ local }) => sameTransportAddress(local, endpoint.local));
      return direct === undefined ? endpoint : only(direct, correspondent);
    });
    return [{ selector: { ...selector, correspondentAddress }, endpoints: directly }];
  });
}

function only(endpoint: TunnelEndpoint, { correspondentAddress }: CorrespondentTunnel): TunnelEndpoint {
  return { ...endpoint, correspondentAddress };
}
