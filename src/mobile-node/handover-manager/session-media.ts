/**
 * The media of a session between the application's description and the network's (TRIM §3.1): the internal address is replaced by that
 * of the access, ports stay, and what both sides have agreed on becomes bindings of the node's own address translator.
 */
import { isMalformed } from '../../base/malformed.ts';
import type { TransportAddress } from '../../base/network.ts';
import {
  hasListeningPort,
  type MediaAddress,
  mediaAddressOf,
  withMediaAddresses,
} from '../../protocols/sdp/media-address.ts';
import { setupOf, transportOf, withAttribute } from '../../protocols/sdp/media-attributes.ts';
import { type Preconditions, preconditionsOf, withPreconditions } from '../../protocols/sdp/preconditions.ts';
import {
  parseSessionDescription,
  type SessionDescription,
  withMedia,
} from '../../protocols/sdp/session-description.ts';
import type { MediaBinding } from '../address-translator/local-address-translator.ts';
import type { StandInAddresses } from './stand-in-addresses.ts';

/** What one side said of the session, and whether it was the offer. */
export interface Said {
  readonly description: SessionDescription;
  readonly role: 'offer' | 'answer';
  /** Of the network: the streams where they are, when the application was told of other places. */
  readonly places?: SessionDescription;
}

/** Undefined where there is none that could be read. */
export function descriptionOf(body: string): SessionDescription | undefined {
  const description = body === '' ? undefined : parseSessionDescription(body);
  return isMalformed(description) ? undefined : description;
}

/** Whether every stream is at the internal address, where the translator sees its packets. */
export function isAtInternalAddress(description: SessionDescription, internalAddress: string): boolean {
  return description.media.every((_, index) => {
    const place = mediaAddressOf(description, index);
    return (
      place === undefined ||
      (place.address === internalAddress && (place.rtcpAddress ?? internalAddress) === internalAddress)
    );
  });
}

/** The description with every stream at `address`, which is what the network is told. */
export function placedAt(description: SessionDescription, address: string): SessionDescription {
  return withMediaAddresses(
    description,
    description.media.map((_, index): MediaAddress | undefined => {
      const place = mediaAddressOf(description, index);
      return place && { address, port: place.port, rtcpPort: place.rtcpPort };
    }),
  );
}

/**
 * The description as the application is told it: where its own version of IP does not reach a stream, at the place that it knows for that
 * already, or else at one that stands for it (stand-in-addresses.ts).
 */
export function placedForApplication(
  description: SessionDescription,
  known: SessionDescription | undefined,
  standIns: StandInAddresses,
): SessionDescription {
  const places = description.media.map((_, index) => mediaAddressOf(description, index));
  const isReached = (place: MediaAddress | undefined): boolean =>
    place === undefined || !standIns.isNeededFor(place.address);
  if (places.every(isReached)) return description;
  return withMediaAddresses(
    description,
    places.map((place, index): MediaAddress | undefined => {
      if (place === undefined || isReached(place)) return place;
      const { address, port, rtcpPort } = place;
      return (known && mediaAddressOf(known, index)) ?? { address: standIns.of(address), port, rtcpPort };
    }),
  );
}

/**
 * An offer that moves the session: TCP connections are to be kept (RFC 4145 §5), and reservations start from scratch on the new access
 * (RFC 4032 §4.1).
 */
export function asMove(description: SessionDescription, withReservation: boolean): SessionDescription {
  return description.media.reduce((moved, media, index) => {
    if (media.port === 0) return moved;
    const kept = transportOf(media) === 'tcp' ? withAttribute(media, 'connection', 'existing') : media;
    return withMedia(moved, index, withPreconditions(kept, withReservation ? nothingReserved : undefined));
  }, description);
}

/** The same offer once the local resources are there (TRIM fig. 6, UPDATE), with what the answer says of the other side's. */
export function asReserved(offer: SessionDescription, answer: SessionDescription): SessionDescription {
  return offer.media.reduce((reserved, media, index) => {
    const preconditions = preconditionsOf(media);
    const answered = answer.media[index];
    if (preconditions === undefined || answered === undefined) return reserved;
    const remote = preconditionsOf(answered)?.current.get('local') ?? 'none';
    const current = new Map(preconditions.current).set('local', 'sendrecv').set('remote', remote);
    return withMedia(reserved, index, withPreconditions(media, { ...preconditions, current }));
  }, offer);
}

/**
 * The bindings of a session: one per UDP port (RTP and RTCP apart), one per TCP stream. Streams that either side refused have none;
 * neither has a TCP stream whose connections nobody may open now (holdconn).
 */
export function bindingsOf(session: string, application: Said, network: Said): MediaBinding[] {
  return application.description.media.flatMap((media, index) => {
    const local = mediaAddressOf(application.description, index);
    const peer = mediaAddressOf(network.description, index);
    const remote = network.places && mediaAddressOf(network.places, index);
    if (local === undefined || peer === undefined) return [];
    const id = `${session}/${index}`;
    return transportOf(media) === 'udp'
      ? udpBindings(id, media.protocol.includes('RTP'), local, peer, remote)
      : tcpBindings(id, application, network, index);
  });
}

function udpBindings(
  id: string,
  hasRtcp: boolean,
  local: MediaAddress,
  peer: MediaAddress,
  remote: MediaAddress | undefined,
): MediaBinding[] {
  const binding = (
    name: 'media' | 'control',
    place: (of: MediaAddress) => TransportAddress,
  ): MediaBinding => ({
    id: `${id}/${name}`,
    protocol: 'udp',
    application: place(local),
    peer: place(peer),
    ...(remote && { remote: place(remote) }),
  });
  const media = binding('media', ({ address, port }) => ({ address, port }));
  if (!hasRtcp || local.rtcpPort === local.port) return [media];
  const control = binding('control', ({ address, rtcpAddress = address, rtcpPort }) => ({
    address: rtcpAddress,
    port: rtcpPort,
  }));
  return [media, control];
}

function tcpBindings(id: string, application: Said, network: Said, index: number): MediaBinding[] {
  const [offer, answer] = application.role === 'offer' ? [application, network] : [network, application];
  const activeEnd = activeSide(offer, answer, index);
  const local = mediaAddressOf(application.description, index);
  const peer = mediaAddressOf(network.description, index);
  const remote = network.places && mediaAddressOf(network.places, index);
  if (activeEnd === undefined || local === undefined || peer === undefined) return [];
  return [
    {
      id: `${id}/media`,
      protocol: 'tcp',
      activeEnd:
        (activeEnd === 'offerer') === (application.role === 'offer') ? 'mobile-node' : 'correspondent-node',
      application: local,
      peer,
      ...(remote && { remote }),
    },
  ];
}

/** RFC 4145 §4.1: the answer decides; an answerer who is passive is connected to by the offerer. */
function activeSide(offer: Said, answer: Said, index: number): 'offerer' | 'answerer' | undefined {
  const setup = setupOf(answer.description, index, 'answer');
  if (setup === 'active') return hasListeningPort(offer.description, index, 'offer') ? 'answerer' : undefined;
  if (setup === 'passive')
    return hasListeningPort(answer.description, index, 'answer') ? 'offerer' : undefined;
  return undefined;
}

/** RFC 3312 §5.1.2; strengths as in TRIM fig. 6 and 3GPP: the own side is what must be there. */
const nothingReserved: Preconditions = {
  current: new Map([
    ['local', 'none'],
    ['remote', 'none'],
  ]),
  desired: [
    { strength: 'mandatory', statusType: 'local', direction: 'sendrecv' },
    { strength: 'none', statusType: 'remote', direction: 'sendrecv' },
  ],
  confirm: new Map(),
};
