/**
 * The session descriptions of an ordinary terminal: what it offers, and what it answers to an offer. It takes a stream when it has a medium
 * of that kind and transport, and refuses it otherwise (RFC 3264 §6).
 */

import { isMalformed, type Malformed } from '../base/malformed.ts';
import { mediaAddressOf } from '../protocols/sdp/media-address.ts';
import { setupOf, transportOf } from '../protocols/sdp/media-attributes.ts';
import { answerPreconditions, preconditionsOf, withPreconditions } from '../protocols/sdp/preconditions.ts';
import {
  type DescriptionSection,
  type MediaDescription,
  parseMediaDescription,
  parseSessionSection,
  type SessionDescription,
  withMediaLines,
  withMediaPort,
} from '../protocols/sdp/session-description.ts';

/** A stream that the terminal's programs send or receive. */
export interface TerminalMedium {
  /** "audio", "video" or "application". */
  readonly media: string;
  readonly transport: 'udp' | 'tcp';
  readonly port: number;
  /** TCP: whether its program connects or listens; "actpass" leaves it to the peer (RFC 4145). */
  readonly setup?: 'active' | 'passive' | 'actpass';
  /** Payload types of RTP; without them the stream is no RTP. */
  readonly formats?: readonly string[];
}

/** Where a stream of the peer is, as this terminal was told. The port is undefined when the peer is the one who connects. */
export interface RemoteMedium {
  readonly media: string;
  readonly transport: 'udp' | 'tcp';
  readonly localPort: number;
  readonly address: string;
  readonly port: number | undefined;
}

export type Reservation = 'none' | 'sendrecv';

export function offerOf(
  address: string,
  media: readonly TerminalMedium[],
  reserved: Reservation | undefined,
): SessionDescription {
  return {
    session: sessionAt(address),
    media: media.map((medium) => {
      const description = describe(medium, medium.setup);
      return reserved === undefined
        ? description
        : withPreconditions(description, ownPreconditions(reserved));
    }),
  };
}

export function answerOf(
  offer: SessionDescription,
  address: string,
  media: readonly TerminalMedium[],
  reserved: Reservation,
): SessionDescription {
  const free = [...media];
  return {
    session: sessionAt(address),
    media: offer.media.map((asked, index) => {
      const at = free.findIndex(
        (medium) => medium.media === asked.media && medium.transport === transportOf(asked),
      );
      const medium = asked.port === 0 ? undefined : free[at];
      if (medium === undefined) return withMediaPort(withMediaLines(asked, []), 0);
      free.splice(at, 1);
      const wanted = preconditionsOf(asked);
      const setup =
        medium.transport === 'tcp' ? answerSetup(setupOf(offer, index, 'offer'), medium) : undefined;
      return withPreconditions(describe(medium, setup), wanted && answerPreconditions(wanted, reserved));
    }),
  };
}

/** The peer's side of each stream that both took. `role` is that of `remote`. */
export function remoteMediaOf(
  local: SessionDescription,
  remote: SessionDescription,
  role: 'offer' | 'answer',
): RemoteMedium[] {
  return local.media.flatMap((medium, index): RemoteMedium[] => {
    const place = mediaAddressOf(remote, index);
    if (place === undefined || medium.port === 0) return [];
    const answer = role === 'answer' ? remote : local;
    const answererConnects = setupOf(answer, index, 'answer') === 'active';
    const remoteConnects = transportOf(medium) === 'tcp' && answererConnects === (role === 'answer');
    const port = remoteConnects ? undefined : place.port;
    const transport = transportOf(medium);
    return [{ media: medium.media, transport, localPort: medium.port, address: place.address, port }];
  });
}

function describe(
  { media, transport, port, formats }: TerminalMedium,
  setup: string | undefined,
): MediaDescription {
  const protocol = formats === undefined ? (transport === 'udp' ? 'UDP' : 'TCP') : 'RTP/AVP';
  const lines = [`m=${media} ${setup === 'active' ? 9 : port} ${protocol} ${(formats ?? ['*']).join(' ')}`];
  if (transport === 'tcp') lines.push(`a=setup:${setup ?? 'actpass'}`, 'a=connection:new');
  return wellFormed(parseMediaDescription(textOf(lines)));
}

function sessionAt(address: string): DescriptionSection {
  const place = `IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
  return wellFormed(parseSessionSection(textOf(['v=0', `o=- 1 1 ${place}`, 's=-', `c=${place}`, 't=0 0'])));
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('');
}

function wellFormed<Section>(section: Section | Malformed): Section {
  if (isMalformed(section)) throw new Error(`invariant: ${section}`);
  return section;
}

/** RFC 4145 §4.1, table 1. A terminal that can do both connects, as the RFC recommends. */
function answerSetup(offered: string, { setup }: TerminalMedium): 'active' | 'passive' {
  if (offered === 'active') return 'passive';
  return offered === 'actpass' && setup === 'passive' ? 'passive' : 'active';
}

/** As in TRIM fig. 4: both sides have an access network to reserve resources in. */
function ownPreconditions(reserved: Reservation): Parameters<typeof withPreconditions>[1] {
  return {
    current: new Map([
      ['local', reserved],
      ['remote', 'none'],
    ]),
    desired: [
      { strength: 'mandatory', statusType: 'local', direction: 'sendrecv' },
      { strength: 'none', statusType: 'remote', direction: 'sendrecv' },
    ],
    confirm: new Map(),
  };
}
