/**
 * A media component at the address translator: its two addresses, its ends as far as they are known, and what follows from them.
 */
import { familyOf } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import { type NatDefinition, type NatEnd, sameEnd } from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { Binding } from '../../translation/binding-table.ts';

/** One media component with its two addresses; its binding is in force once both ends are known. */
export interface SessionComponent {
  readonly id: string;
  readonly protocol: 'udp' | 'tcp';
  readonly towardsCorrespondent: TransportAddress;
  /** In force: of the mobile node's version of IP. */
  readonly towardsMobileNode: TransportAddress;
  /** The same in the other version of IP, for when the mobile node is there. */
  readonly otherTowardsMobileNode?: TransportAddress | undefined;
  readonly mobileNode: NatEnd | undefined;
  readonly correspondent: NatEnd | undefined;
}

/** The ends as far as they are known. */
export type Ends = Pick<SessionComponent, 'protocol'> &
  Partial<Pick<SessionComponent, 'mobileNode' | 'correspondent'>>;

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
  const { towardsCorrespondent, towardsMobileNode, otherTowardsMobileNode } = component;
  const own = direction === 'in' ? [towardsCorrespondent] : [towardsMobileNode, otherTowardsMobileNode];
  return component.protocol === protocol && own.some((one) => one !== undefined && sameEnd(one, external));
}

/** The component with the y:b of the mobile node's version of IP in force. */
export function atVersionOfMobileNode(component: SessionComponent): SessionComponent {
  const { mobileNode, towardsMobileNode, otherTowardsMobileNode: other } = component;
  if (mobileNode === undefined || other === undefined || sameFamily(mobileNode, towardsMobileNode))
    return component;
  return { ...component, towardsMobileNode: other, otherTowardsMobileNode: towardsMobileNode };
}

export function isTransportAddress(end: NatEnd | undefined): end is TransportAddress {
  return end?.port !== undefined;
}

export function contradictionIn(component: SessionComponent): Refusal | undefined {
  const { protocol, mobileNode, correspondent, towardsMobileNode, towardsCorrespondent } = component;
  const ends = [mobileNode, correspondent].filter((end) => end !== undefined);
  const isReached =
    (mobileNode === undefined || sameFamily(mobileNode, towardsMobileNode)) &&
    (correspondent === undefined || sameFamily(correspondent, towardsCorrespondent));
  if (!isReached) return noAddressOfFamily;
  const active = ends.filter(({ port }) => port === undefined).length;
  if (active > (protocol === 'tcp' ? 1 : 0))
    return { resultCode: resultCode.invalidAvpValue, reason: 'a port is missing' };
  return undefined;
}

/** An end has gone to the other version of IP, and nobody has asked for an address that it reaches, or there is none. */
export const noAddressOfFamily: Refusal = {
  resultCode: resultCode.bindingFailure,
  reason: 'no address of that version of IP',
};

function sameFamily(a: NatEnd, b: NatEnd): boolean {
  return familyOf(a.address) === familyOf(b.address);
}

/** Undefined as long as an end is not known. */
export function bindingOf(component: SessionComponent): Binding | undefined {
  const { id, protocol, mobileNode, correspondent } = component;
  if (mobileNode === undefined || correspondent === undefined) return undefined;
  const activeEnd = activeEndOf(component);
  return {
    id,
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
export function isPortPair(rtp: Ends | undefined, rtcp: Ends | undefined): boolean {
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
