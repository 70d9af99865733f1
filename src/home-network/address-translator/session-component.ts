/**
 * A media component at the address translator: its two addresses, its ends as far as they are known, and what follows from them.
 */
import { ipFamilyOf } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import {
  type NatComponent,
  type NatDefinition,
  type NatEnd,
  sameEnd,
} from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { Binding } from '../../translation/binding-table.ts';

/** One media component with its two addresses; its binding is in force once both ends are known. */
export interface SessionComponent {
  readonly id: string;
  readonly family: 4 | 6;
  readonly protocol: 'udp' | 'tcp';
  readonly towardsCorrespondent: TransportAddress;
  readonly towardsMobileNode: TransportAddress;
  readonly mobileNode: NatEnd | undefined;
  readonly correspondent: NatEnd | undefined;
}

/** Why nothing was done, and the definition that is to blame. */
export interface Refusal {
  readonly resultCode: number;
  readonly reason: string;
  readonly definition?: NatDefinition;
}

export function isNamedBy(
  component: SessionComponent,
  { direction, protocol, external }: NatDefinition,
): boolean {
  const own = direction === 'in' ? component.towardsCorrespondent : component.towardsMobileNode;
  return component.protocol === protocol && sameEnd(own, external);
}

export function isTransportAddress(end: NatEnd | undefined): end is TransportAddress {
  return end?.port !== undefined;
}

export function contradictionIn({
  family,
  protocol,
  mobileNode,
  correspondent,
}: SessionComponent): Refusal | undefined {
  const ends = [mobileNode, correspondent].filter((end) => end !== undefined);
  if (ends.some(({ address }) => ipFamilyOf(address) !== family))
    return { resultCode: resultCode.bindingFailure, reason: 'no translation between IPv4 and IPv6' };
  const active = ends.filter(({ port }) => port === undefined).length;
  if (active > (protocol === 'tcp' ? 1 : 0))
    return { resultCode: resultCode.invalidAvpValue, reason: 'a port is missing' };
  return undefined;
}

/** Undefined as long as an end is not known. */
export function bindingOf(component: SessionComponent): Binding | undefined {
  const { id, family, protocol, mobileNode, correspondent } = component;
  if (mobileNode === undefined || correspondent === undefined) return undefined;
  const activeEnd = activeEndOf(component);
  return {
    id,
    family,
    protocol,
    ...(activeEnd && { activeEnd }),
    correspondent: { address: correspondent.address, port: correspondent.port ?? 0 },
    towardsCorrespondent: component.towardsCorrespondent,
    towardsMobileNode: component.towardsMobileNode,
    mobileNode: { address: mobileNode.address, port: mobileNode.port ?? 0 },
  };
}

function activeEndOf({ mobileNode, correspondent }: SessionComponent): Binding['activeEnd'] {
  if (mobileNode !== undefined && mobileNode.port === undefined) return 'mobile-node';
  return correspondent !== undefined && correspondent.port === undefined ? 'correspondent-node' : undefined;
}

/** Only the mobile node's end differs: a handover, one element change. */
export function canMove(before: SessionComponent, after: SessionComponent): boolean {
  return sameEnd(before.correspondent, after.correspondent) && activeEndOf(before) === activeEndOf(after);
}

/** RTP on an even port and RTCP on the next (RFC 3550 §11), by whichever end is known. */
export function isPortPair(rtp: NatComponent | undefined, rtcp: NatComponent | undefined): boolean {
  if (rtp?.protocol !== 'udp' || rtcp?.protocol !== 'udp') return false;
  return (['mobileNode', 'correspondent'] as const).some((end) => {
    const [first, second] = [rtp[end], rtcp[end]];
    return (
      first?.port !== undefined &&
      first.port % 2 === 0 &&
      second?.port === first.port + 1 &&
      second.address === first.address
    );
  });
}
