/**
 * The media components of an anchored session and the translator's addresses for them (TRIM §3.2): what each end said of its media becomes
 * the ends of the components, and the translator's x:a and y:b become what the other end is told. x:a and y:b are asked for once, when a
 * component first appears, and stay for its life, whatever moves; but a mobile node that goes to the other version of IP has a y:b of that.
 */

import { familyOf, ipFamilyOf } from '../../base/ip-address.ts';
import {
  anyAddressOf,
  type NatComponent,
  type NatEnd,
  sameEnd,
} from '../../protocols/diameter/nat-control.ts';
import {
  hasListeningPort,
  type MediaAddress,
  mediaAddressOf,
  withMediaAddresses,
} from '../../protocols/sdp/media-address.ts';
import { setupOf, transportOf } from '../../protocols/sdp/media-attributes.ts';
import type { SessionDescription } from '../../protocols/sdp/session-description.ts';

export type End = 'mobileNode' | 'correspondent';
export type Role = 'offer' | 'answer';

/** RTP, or whatever the m= line is, and RTCP where it has a port of its own. */
type Part = 'media' | 'control';

/** By "index of the m= line/part". */
export type Components = ReadonlyMap<string, NatComponent>;

/** What is to be asked of the translator so that `next` becomes true. */
export interface BindingChange {
  readonly next: Components;
  /** Components that are new or have another end. */
  readonly install: readonly string[];
  /** Components that are no longer used. */
  readonly remove: readonly NatComponent[];
}

/** What changes when one end has described its media; a refused stream (port 0) gives up its components. */
function heard(components: Components, end: End, description: SessionDescription, role: Role): BindingChange {
  const next = new Map(components);
  const install: string[] = [];
  const remove: NatComponent[] = [];
  description.media.forEach((media, index) => {
    const parts = partsOf(description, index);
    for (const part of ['media', 'control'] as const) {
      const key = `${index}/${part}`;
      const place = parts.get(part);
      const known = next.get(key);
      if (place === undefined) {
        // RTCP may share the RTP port by one end's wish only (a=rtcp-mux offered, not answered): the component stays.
        if (known !== undefined && media.port === 0 && next.delete(key)) remove.push(known);
        continue;
      }
      const protocol = transportOf(media);
      const changed = withEnd(
        known ?? { protocol, ...versionsIn(components) },
        end,
        portlessWhenActive(description, index, role, place),
      );
      const agreed =
        protocol === 'tcp' && role === 'answer' ? withTcpRoles(changed, end, description, index) : changed;
      if (known !== undefined && sameEnds(known, agreed)) continue;
      next.set(key, agreed);
      install.push(key);
    }
  });
  return { next, install, remove };
}

/**
 * What an offer asks for before it is answered: translator addresses for what is new. What it changes in existing components waits for the
 * answer, since it may be refused (RFC 3264 §8).
 */
export function offered(components: Components, end: End, offer: SessionDescription): BindingChange {
  const change = heard(components, end, offer, 'offer');
  const install = change.install.filter((key) => !components.has(key));
  const additions = install.map((key): [string, NatComponent] => [key, change.next.get(key)!]);
  return { next: new Map([...components, ...additions]), install, remove: [] };
}

/** What becomes true with the answer. */
export function answered(
  components: Components,
  answerer: End,
  offer: SessionDescription,
  answer: SessionDescription,
): BindingChange {
  const offerer = answerer === 'mobileNode' ? 'correspondent' : 'mobileNode';
  const first = heard(components, offerer, offer, 'offer');
  const second = heard(first.next, answerer, answer, 'answer');
  const install = [...new Set([...first.install, ...second.install])].filter((key) => second.next.has(key));
  return { next: second.next, install, remove: [...first.remove, ...second.remove] };
}

/**
 * The mobile node is elsewhere, and nothing else changes: who opens TCP connections stays as agreed, whatever the offer leaves open.
 * `reserved`: with the y:b of the other version of IP, if it goes there.
 */
export function moved(
  components: Components,
  offer: SessionDescription,
  reserved: Components = components,
): BindingChange {
  const next = new Map(components);
  const install: string[] = [];
  for (const [key, component] of components) {
    const place = placeOf(offer, key);
    if (place === undefined || component.mobileNode === undefined) continue;
    const { towardsMobileNode = component.towardsMobileNode } = reserved.get(key) ?? {};
    const isPortless = component.mobileNode.port === undefined;
    const changed = withEnd(
      { ...component, ...(towardsMobileNode && { towardsMobileNode }) },
      'mobileNode',
      isPortless ? { address: place.address } : place,
    );
    if (sameEnds(component, changed)) continue;
    next.set(key, changed);
    install.push(key);
  }
  return { next, install, remove: [] };
}

/** What is to be asked for ahead of a move to the other version of IP: a y:b of that, while everything stays where it is. */
export function reservedFor(components: Components, offer: SessionDescription): BindingChange {
  const next = new Map(components);
  const install: string[] = [];
  for (const [key, component] of components) {
    const place = placeOf(offer, key);
    if (place === undefined || isReachedFrom(component.towardsMobileNode, place)) continue;
    next.set(key, { ...component, towardsMobileNode: anyAddressOf(familyOf(place.address)) });
    install.push(key);
  }
  return { next, install, remove: [] };
}

/** Whether this end has gone to the other version of IP, away from the address that it was told. */
export function isOfAnotherFamily(
  components: Components,
  end: End,
  description: SessionDescription,
): boolean {
  return description.media.some((_, index) => {
    const place = mediaAddressOf(description, index);
    const component = components.get(`${index}/media`);
    const own = end === 'mobileNode' ? component?.towardsMobileNode : component?.towardsCorrespondent;
    return place !== undefined && !isReachedFrom(own, place);
  });
}

/** Not at names, which the translator does not look up. */
export function isAtAddresses(description: SessionDescription): boolean {
  return description.media.every((_, index) => {
    const { address, rtcpAddress = address } = mediaAddressOf(description, index) ?? { address: '::' };
    return ipFamilyOf(address) !== undefined && ipFamilyOf(rtcpAddress) !== undefined;
  });
}

/** The description as the other end is told it: every stream at the translator. */
export function translated(
  components: Components,
  from: End,
  description: SessionDescription,
): SessionDescription {
  const side = from === 'mobileNode' ? 'towardsCorrespondent' : 'towardsMobileNode';
  return withMediaAddresses(
    description,
    description.media.map((media, index): MediaAddress | undefined => {
      const bound = components.get(`${index}/media`)?.[side];
      if (media.port === 0 || bound === undefined) return undefined;
      const control = components.get(`${index}/control`)?.[side];
      // RFC 4145 §4.1: the port of an end that connects says nothing; 9 is the discard port.
      const port = bound.port ?? 9;
      return { address: bound.address, port, rtcpPort: control?.port ?? port };
    }),
  );
}

/** Of the component with that key. */
function placeOf(description: SessionDescription, key: string): NatEnd | undefined {
  const [index, part] = key.split('/') as [string, Part];
  return partsOf(description, Number(index)).get(part);
}

function partsOf(description: SessionDescription, index: number): Map<Part, NatEnd> {
  const place = mediaAddressOf(description, index);
  const media = description.media[index];
  const parts = new Map<Part, NatEnd>();
  if (place === undefined || media === undefined) return parts;
  parts.set('media', { address: place.address, port: place.port });
  if (transportOf(media) === 'udp' && media.protocol.includes('RTP') && place.rtcpPort !== place.port)
    parts.set('control', { address: place.rtcpAddress ?? place.address, port: place.rtcpPort });
  return parts;
}

function portlessWhenActive(
  description: SessionDescription,
  index: number,
  role: Role,
  place: NatEnd,
): NatEnd {
  return hasListeningPort(description, index, role) ? place : { address: place.address };
}

/** The answer says who connects (RFC 4145 §4.1); the offer may have left it open (actpass). */
function withTcpRoles(
  component: NatComponent,
  answerer: End,
  answer: SessionDescription,
  index: number,
): NatComponent {
  const offerer = answerer === 'mobileNode' ? 'correspondent' : 'mobileNode';
  const offered = component[offerer];
  if (setupOf(answer, index, 'answer') !== 'passive' || offered === undefined) return component;
  return withEnd(component, offerer, { address: offered.address });
}

/** A mobile node in the other version of IP gets a y:b of that. */
function withEnd(component: NatComponent, end: End, place: NatEnd): NatComponent {
  const changed = { ...component, [end]: place };
  if (end === 'correspondent' || isReachedFrom(component.towardsMobileNode, place)) return changed;
  return { ...changed, towardsMobileNode: anyAddressOf(familyOf(place.address)) };
}

function isReachedFrom(own: NatEnd | undefined, place: NatEnd): boolean {
  return own === undefined || familyOf(own.address) === ipFamilyOf(place.address);
}

/** A new component in a session whose ends are of different versions of IP begins with those. */
function versionsIn(
  components: Components,
): Pick<NatComponent, 'towardsCorrespondent' | 'towardsMobileNode'> {
  for (const { towardsCorrespondent: x, towardsMobileNode: y } of components.values())
    if (x !== undefined && y !== undefined && familyOf(x.address) !== familyOf(y.address))
      return {
        towardsCorrespondent: anyAddressOf(familyOf(x.address)),
        towardsMobileNode: anyAddressOf(familyOf(y.address)),
      };
  return {};
}

function sameEnds(a: NatComponent, b: NatComponent): boolean {
  return sameEnd(a.mobileNode, b.mobileNode) && sameEnd(a.correspondent, b.correspondent);
}
