/**
 * Where media is to be sent, read and replaced stream by stream (RFC 4566 §5.7, §5.14; a=rtcp of RFC 3605): the one thing that the
 * TRIM application server changes in a session description (TRIM fig. 4, messages 5, 7). ICE is taken out, because its candidates
 * would name the addresses that were replaced. Leaves out multicast.
 */
import { canonicalIpAddress, ipFamilyOf } from '../../base/ip-address.ts';
import { ownText } from '../../base/own-text.ts';
import { attributeIn, setupOf, transportOf } from './media-attributes.ts';
import { type MediaDescription, type SessionDescription, textBehindPort } from './session-description.ts';

export interface MediaAddress {
  /** Canonical text of an IP address, or a name as it was written. */
  readonly address: string;
  readonly port: number;
  /** Where RTCP goes: by default the next port (RFC 3550 §11), the same one with a=rtcp-mux (RFC 5761). */
  readonly rtcpPort: number;
  /** Where RTCP goes when that is another host. */
  readonly rtcpAddress?: string;
}

/** `undefined` when the stream is refused (port 0) or does not exist. */
export function mediaAddressOf(description: SessionDescription, index: number): MediaAddress | undefined {
  const media = description.media[index];
  if (media === undefined || media.port === 0) return undefined;
  const { port } = media;
  const address = media.connectionAddress ?? description.session.connectionAddress ?? '';
  // RFC 3605 §2.1, RFC 5761 §11: both are a stream's; where the session has such a line, it means nothing.
  const defaultRtcpPort = attributeIn(media, 'rtcp-mux') === undefined ? port + 1 : port;
  const rtcp = attributeIn(media, 'rtcp');
  if (rtcp === undefined) return { address, port, rtcpPort: defaultRtcpPort };
  const [portText = '', , , host = address] = rtcp.split(' ');
  const isPort = defaultRtcpPort !== port && /^\d{1,5}$/.test(portText);
  const rtcpPort = isPort ? Number(portText) : defaultRtcpPort;
  const rtcpAddress = ownText(canonicalIpAddress(host));
  return { address, port, rtcpPort, ...(rtcpAddress !== address && { rtcpAddress }) };
}

/** Whether all streams are at addresses of the other version of IP than `own`. Names are of either. */
export function isOutOfReach(description: SessionDescription, own: string): boolean {
  const family = ipFamilyOf(own);
  const families = description.media.flatMap((_, index) => {
    const stream = mediaAddressOf(description, index);
    return stream === undefined ? [] : [ipFamilyOf(stream.address)];
  });
  return (
    family !== undefined && families.length > 0 && families.every((of) => of !== undefined && of !== family)
  );
}

/**
 * Whether the port of the m= line is one that peers may send or connect to. The active end of a TCP stream writes port 9, or any
 * other, without meaning it: it will connect from a port of its own choice (RFC 4145 §4.1).
 */
export function hasListeningPort(
  description: SessionDescription,
  index: number,
  role: 'offer' | 'answer',
): boolean {
  const media = description.media[index];
  if (media === undefined || media.port === 0) return false;
  if (transportOf(media) === 'udp') return true;
  const setup = setupOf(description, index, role);
  return setup !== 'active' && setup !== 'holdconn' && media.port !== 9;
}

/**
 * Replaces the address of every stream; `undefined` leaves a stream its port (for refused ones, which have nothing to replace).
 * The session's connection line, which may stand for several streams, takes the first new address; streams that differ from it get
 * a line of their own. No old address is left in c=, a=rtcp or ICE attributes.
 */
export function withMediaAddresses(
  description: SessionDescription,
  addresses: readonly (MediaAddress | undefined)[],
): SessionDescription {
  const sessionAddress = addresses.find((address) => address !== undefined)?.address;
  if (sessionAddress === undefined) return description;
  const { session } = description;
  const hasSessionLine = session.connectionAddress !== undefined;
  return {
    session: {
      text: replacePlaces(session.text, connectionLineOf(sessionAddress), ''),
      connectionAddress: hasSessionLine ? sessionAddress : undefined,
    },
    media: description.media.map((media, index) => {
      const address = addresses[index];
      const isCovered = hasSessionLine && (address === undefined || address.address === sessionAddress);
      return replaceAddress(media, address, address?.address ?? sessionAddress, isCovered);
    }),
  };
}

function replaceAddress(
  stream: MediaDescription,
  place: MediaAddress | undefined,
  host: string,
  isCovered: boolean,
): MediaDescription {
  const { media, protocol } = stream;
  const connection = connectionLineOf(host);
  const hasOwnLine = stream.connectionAddress !== undefined;
  if (place === undefined) {
    const text = replacePlaces(stream.text, connection, '');
    return { text, connectionAddress: hasOwnLine ? host : undefined, media, port: stream.port, protocol };
  }
  const rtcp = rtcpLineOf(place);
  const hasRtcp = attributeIn(stream, 'rtcp') !== undefined;
  let text = `m=${media} ${place.port}${replacePlaces(textBehindPort(stream), connection, rtcp)}`;
  if (!hasOwnLine && !isCovered) text = insertConnection(text, connection);
  if (!hasRtcp && !isUsualRtcp(stream, place)) text += rtcp;
  const connectionAddress = hasOwnLine || !isCovered ? host : undefined;
  return { text, connectionAddress, media, port: place.port, protocol };
}

/** Lines that tell of addresses, of which only c= and a=rtcp have something in their place; the others are of ICE (RFC 8839 §5). */
const placeLine =
  /c=|a=(?:rtcp(?::|\r\n)|(?:candidate|remote-candidates|end-of-candidates|ice-(?:ufrag|pwd|options|lite|mismatch|pacing))(?::|\s*\r\n))/y;

/** The lines with each c= and the first a=rtcp replaced; what else tells of places is left out. */
function replacePlaces(text: string, connection: string, rtcp: string): string {
  let [replaced, kept, nextRtcp] = ['', 0, rtcp];
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = text.indexOf('\n', start) + 1;
    placeLine.lastIndex = start;
    if (!placeLine.test(text)) continue;
    replaced += text.slice(kept, start);
    kept = end;
    if (text[start] === 'c') replaced += connection;
    else if (text.startsWith('a=rtcp', start)) [replaced, nextRtcp] = [replaced + nextRtcp, ''];
  }
  return kept === 0 ? text : replaced + text.slice(kept);
}

/** RFC 4566 §5: c= stands behind m= and i=. */
function insertConnection(text: string, connection: string): string {
  let at = text.indexOf('\n') + 1;
  if (text.startsWith('i=', at)) at = text.indexOf('\n', at) + 1;
  return text.slice(0, at) + connection + text.slice(at);
}

/** Whether RTCP is where it is looked for without a=rtcp. */
function isUsualRtcp(stream: MediaDescription, { port, rtcpPort, rtcpAddress }: MediaAddress): boolean {
  const isNext = rtcpPort === port + 1 || attributeIn(stream, 'rtcp-mux') !== undefined;
  return isNext && rtcpAddress === undefined;
}

function rtcpLineOf({ rtcpPort, rtcpAddress }: MediaAddress): string {
  return `a=rtcp:${rtcpPort}${rtcpAddress === undefined ? '' : ` ${networkAddressOf(rtcpAddress)}`}\r\n`;
}

function connectionLineOf(address: string): string {
  return `c=${networkAddressOf(address)}\r\n`;
}

function networkAddressOf(address: string): string {
  return `IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}
