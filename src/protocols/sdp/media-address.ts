/**
 * Where media is to be sent, read and replaced stream by stream (RFC 4566 §5.7, §5.14; a=rtcp of RFC 3605): the one thing that the
 * TRIM application server changes in a session description (TRIM fig. 4, messages 5, 7). ICE is taken out, because its candidates
 * would name the addresses that were replaced. Leaves out multicast.
 */
import { canonicalIpAddress } from '../../base/ip-address.ts';
import { isAttribute, type Setup, setupOf, transportOf } from './media-attributes.ts';
import {
  type MediaDescription,
  type SessionDescription,
  withMediaLines,
  withMediaPort,
} from './session-description.ts';

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
  const connection = [...media.lines, ...description.lines].find((line) => line.startsWith('c='));
  const address = canonicalIpAddress(connection?.split(' ')[2]?.split('/')[0] ?? '');
  const [rtcpPort, , , rtcpAddress] = ownAttribute(media, 'rtcp')?.split(' ') ?? [];
  const isMultiplexed = ownAttribute(media, 'rtcp-mux') !== undefined;
  const defaultRtcpPort = isMultiplexed ? media.port : media.port + 1;
  return {
    address,
    port: media.port,
    rtcpPort: isMultiplexed || !/^\d{1,5}$/.test(rtcpPort ?? '') ? defaultRtcpPort : Number(rtcpPort),
    ...(rtcpAddress === undefined || canonicalIpAddress(rtcpAddress) === address
      ? {}
      : { rtcpAddress: canonicalIpAddress(rtcpAddress) }),
  };
}

/** RFC 3605 §2.1, RFC 5761 §11: both are a stream's; where the session has such a line, it means nothing. */
function ownAttribute({ lines }: MediaDescription, name: 'rtcp' | 'rtcp-mux'): string | undefined {
  return lines
    .find((line) => isAttribute(line, name))
    ?.slice(name.length + 3)
    .trim();
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
  const setup: Setup = setupOf(description, index, role);
  return transportOf(media) === 'udp' || (setup !== 'active' && setup !== 'holdconn' && media.port !== 9);
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
  const hasSessionLine = description.lines.some((line) => line.startsWith('c='));
  return {
    lines: description.lines
      .filter((line) => !isIceAttribute(line) && !isAttribute(line, 'rtcp'))
      .map((line) => (line.startsWith('c=') ? connectionLineOf(sessionAddress) : line)),
    media: description.media.map((media, index) => {
      const address = addresses[index];
      const isCovered = hasSessionLine && (address === undefined || address.address === sessionAddress);
      return replaceAddress(media, address, address?.address ?? sessionAddress, isCovered);
    }),
  };
}

function replaceAddress(
  media: MediaDescription,
  address: MediaAddress | undefined,
  host: string,
  isCovered: boolean,
): MediaDescription {
  const lines = media.lines
    .slice(1)
    .filter((line) => !isIceAttribute(line))
    .map((line) => (line.startsWith('c=') ? connectionLineOf(host) : line));
  if (address === undefined)
    return withMediaLines(
      media,
      lines.filter((line) => !isAttribute(line, 'rtcp')),
    );
  const withConnection =
    isCovered || lines.some((line) => line.startsWith('c=')) ? lines : insertConnection(lines, host);
  return withMediaPort(withMediaLines(media, replaceRtcp(withConnection, address)), address.port);
}

/** RFC 4566 §5: c= stands behind m= and i=. */
function insertConnection(lines: readonly string[], host: string): string[] {
  const at = lines[0]?.startsWith('i=') ? 1 : 0;
  return lines.toSpliced(at, 0, connectionLineOf(host));
}

function replaceRtcp(lines: readonly string[], address: MediaAddress): string[] {
  const host = address.rtcpAddress === undefined ? '' : ` ${connectionLineOf(address.rtcpAddress).slice(2)}`;
  const line = `a=rtcp:${address.rtcpPort}${host}`;
  const index = lines.findIndex((candidate) => isAttribute(candidate, 'rtcp'));
  if (index >= 0) return lines.with(index, line);
  const isDefault =
    address.rtcpPort === address.port + 1 || lines.some((candidate) => isAttribute(candidate, 'rtcp-mux'));
  return isDefault && host === '' ? [...lines] : [...lines, line];
}

function connectionLineOf(address: string): string {
  return `c=IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}

/** RFC 8839 §5. */
function isIceAttribute(line: string): boolean {
  return /^a=(?:candidate|remote-candidates|end-of-candidates|ice-(?:ufrag|pwd|options|lite|mismatch|pacing))(?::|\s*$)/.test(
    line,
  );
}
