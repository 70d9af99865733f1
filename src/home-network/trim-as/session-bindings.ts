/**
 * The media components of an anchored session and the translator's addresses for them (TRIM §3.2): what each end said of its media becomes
 * the ends of the components, and the translator's x:a and y:b become what the other end is told. x:a and y:b are asked for once, when a
 * component first appears, and stay for its life, whatever moves; but a mobile node that goes to the other version of IP has a y:b of that.
 */

import { familyOf, ipFamilyOf } from '../../base/ip-address.ts';
import { emptyList, withItem, withoutItem } from '../../base/short-list.ts';
import { anyAddressOf, type NatEnd } from '../../protocols/diameter/nat-control.ts';
import {
  hasListeningPort,
  type MediaAddress,
  mediaAddressOf,
  withMediaAddresses,
} from '../../protocols/sdp/media-address.ts';
import { setupOf, transportOf } from '../../protocols/sdp/media-attributes.ts';
import type { SessionDescription } from '../../protocols/sdp/session-description.ts';
import { MediaComponent, type Part } from './media-component.ts';

export type End = 'mobileNode' | 'correspondent';
export type Role = 'offer' | 'answer';

const parts = ['media', 'control'] as const;

export type Components = readonly MediaComponent[];

/** What is to be asked of the translator so that `next` becomes true. */
export interface BindingChange {
  readonly next: Components;
  /** Those of `next` that are new or have another end. */
  readonly install: Components;
  /** Components that are no longer used. */
  readonly remove: Components;
}

export function componentAt(components: Components, index: number, part: Part): MediaComponent | undefined {
  for (const component of components)
    if (component.index === index && component.part === part) return component;
  return undefined;
}

function changeTo(next: Components, components: Components): BindingChange {
  return {
    next,
    install: next.filter((component) => !components.includes(component)),
    remove: components.filter(({ index, part }) => componentAt(next, index, part) === undefined),
  };
}

/** What is true when one end has described its media; a refused stream (port 0) gives up its components. */
function heard(components: Components, end: End, description: SessionDescription, role: Role): Components {
  let next = components;
  for (let index = 0; index < description.media.length; index++) {
    const places = placesOf(description, index);
    for (const part of parts) {
      const place = places[part];
      const known = componentAt(next, index, part);
      if (place === undefined) {
        // RTCP may share the RTP port by one end's wish only (a=rtcp-mux offered, not answered): the component stays.
        if (known !== undefined && description.media[index]!.port === 0) next = withoutItem(next, known);
        continue;
      }
      const said = hasListeningPort(description, index, role) ? place : { address: place.address };
      const changed = withEnd(known ?? newComponent(components, description, index, part), end, said);
      const agreed = role === 'answer' ? withTcpRoles(changed, end, description, index) : changed;
      if (known === undefined) next = withItem(next, agreed);
      else if (agreed !== known) next = next.with(next.indexOf(known), agreed);
    }
  }
  return next;
}

/**
 * What an offer asks for before it is answered: translator addresses for what is new. What it changes in existing components waits for the
 * answer, since it may be refused (RFC 3264 §8).
 */
export function offered(components: Components, end: End, offer: SessionDescription): BindingChange {
  const additions = heard(components, end, offer, 'offer').filter(
    ({ index, part }) => componentAt(components, index, part) === undefined,
  );
  return { next: [...components, ...additions], install: additions, remove: emptyList };
}

/** What becomes true with the answer. */
export function answered(
  components: Components,
  answerer: End,
  offer: SessionDescription,
  answer: SessionDescription,
): BindingChange {
  const offerer = answerer === 'mobileNode' ? 'correspondent' : 'mobileNode';
  const asked = heard(components, offerer, offer, 'offer');
  return changeTo(heard(asked, answerer, answer, 'answer'), components);
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
  const next = components.map((component) => {
    const { index, part, mobileNode } = component;
    const place = placesOf(offer, index)[part];
    if (place === undefined || mobileNode === undefined) return component;
    const said = mobileNode.port === undefined ? { address: place.address } : place;
    if (component.with({ mobileNode: said }) === component) return component;
    const { towardsMobileNode } = componentAt(reserved, index, part) ?? component;
    return withEnd(component.with({ towardsMobileNode }), 'mobileNode', said);
  });
  return changeTo(next, components);
}

/** What is to be asked for ahead of a move to the other version of IP: a y:b of that, while everything stays where it is. */
export function reservedFor(components: Components, offer: SessionDescription): BindingChange {
  const next = components.map((component) => {
    const place = placesOf(offer, component.index)[component.part];
    if (place === undefined || isReachedFrom(component.towardsMobileNode, place)) return component;
    return component.with({ towardsMobileNode: anyAddressOf(familyOf(place.address)) });
  });
  return changeTo(next, components);
}

/**
 * An end that has not answered yet is told of the translator at an address of the other version of IP, in a binding of its own: nobody else knows
 * of the former. Undefined where that has been done, or there is nothing to be told.
 */
export function inOtherVersion(components: Components, end: End): BindingChange | undefined {
  const next: MediaComponent[] = [];
  for (const component of components) {
    const { index, part, towardsCorrespondent: x, towardsMobileNode: y } = component;
    const family = x && familyOf(x.address);
    if (family === undefined || y === undefined || familyOf(y.address) !== family) return undefined;
    const [same, other] = [anyAddressOf(family), anyAddressOf(family === 6 ? 4 : 6)];
    const { protocol, mobileNode, correspondent } = component;
    const [towardsCorrespondent, towardsMobileNode] = end === 'mobileNode' ? [same, other] : [other, same];
    const ends = { mobileNode, correspondent, towardsCorrespondent, towardsMobileNode };
    next.push(new MediaComponent(index, part, { protocol, ...ends }));
  }
  return next.length === 0 ? undefined : { next, install: next, remove: components };
}

/** Whether this end has gone to the other version of IP, away from the address that it was told. */
export function isOfAnotherFamily(
  components: Components,
  end: End,
  description: SessionDescription,
): boolean {
  return description.media.some((_, index) => {
    const place = mediaAddressOf(description, index);
    const component = componentAt(components, index, 'media');
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
      const bound = componentAt(components, index, 'media')?.[side];
      if (media.port === 0 || bound === undefined) return undefined;
      const control = componentAt(components, index, 'control')?.[side];
      // RFC 4145 §4.1: the port of an end that connects says nothing; 9 is the discard port.
      const port = bound.port ?? 9;
      return { address: bound.address, port, rtcpPort: control?.port ?? port };
    }),
  );
}

function placesOf(description: SessionDescription, index: number): Partial<Record<Part, NatEnd>> {
  const place = mediaAddressOf(description, index);
  const stream = description.media[index];
  if (place === undefined || stream === undefined) return {};
  const { address, port, rtcpPort, rtcpAddress = address } = place;
  const media = { address, port };
  if (transportOf(stream) !== 'udp' || !stream.protocol.includes('RTP') || rtcpPort === port)
    return { media };
  return { media, control: { address: rtcpAddress, port: rtcpPort } };
}

/** The answer says who connects (RFC 4145 §4.1); the offer may have left it open (actpass). */
function withTcpRoles(
  component: MediaComponent,
  answerer: End,
  answer: SessionDescription,
  index: number,
): MediaComponent {
  const offerer = answerer === 'mobileNode' ? 'correspondent' : 'mobileNode';
  const offered = component[offerer];
  if (component.protocol === 'udp' || offered === undefined) return component;
  if (setupOf(answer, index, 'answer') !== 'passive') return component;
  return withEnd(component, offerer, { address: offered.address });
}

/** A mobile node in the other version of IP gets a y:b of that. */
function withEnd(component: MediaComponent, end: End, place: NatEnd): MediaComponent {
  if (end === 'correspondent') return component.with({ correspondent: place });
  const moved = component.with({ mobileNode: place });
  if (moved === component || isReachedFrom(component.towardsMobileNode, place)) return moved;
  return moved.with({ towardsMobileNode: anyAddressOf(familyOf(place.address)) });
}

function isReachedFrom(own: NatEnd | undefined, place: NatEnd): boolean {
  return own === undefined || familyOf(own.address) === ipFamilyOf(place.address);
}

/** In a session whose ends are of different versions of IP it begins with those. */
function newComponent(
  components: Components,
  description: SessionDescription,
  index: number,
  part: Part,
): MediaComponent {
  const protocol = transportOf(description.media[index]!);
  for (const { towardsCorrespondent: x, towardsMobileNode: y } of components)
    if (x !== undefined && y !== undefined && familyOf(x.address) !== familyOf(y.address))
      return new MediaComponent(index, part, {
        protocol,
        towardsCorrespondent: anyAddressOf(familyOf(x.address)),
        towardsMobileNode: anyAddressOf(familyOf(y.address)),
      });
  return new MediaComponent(index, part, { protocol });
}
