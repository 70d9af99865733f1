/**
 * Answers the echo in the tunnel (RFC 3519 §4.9) by which mobile nodes keep address translation alive and measure the round trip. The
 * answer takes the way that the request came, whichever binding forwards; only a registered endpoint gets one, with its own home address.
 */
import { Malformed } from '../../base/malformed.ts';
import {
  decodeTunnelData,
  decodeTunnelledEcho,
  encodeTunnelledEcho,
} from '../../protocols/mobile-ip/tunnel-data.ts';
import type { TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';

/** The payload of the answer; undefined when the packet is no echo request to us from a registered endpoint. */
export function echoReplyTo(
  payload: Uint8Array,
  homeAgent: string,
  bindingOf: (homeAddress: string) => { readonly encapsulation: TunnelEncapsulation } | undefined,
): Uint8Array | undefined {
  const encapsulation: TunnelEncapsulation = (payload[0] ?? 0) >> 4 === 4 ? 'plain' : 'rfc3519';
  const packet = decodeTunnelData(payload, encapsulation);
  const echo = packet instanceof Malformed ? undefined : decodeTunnelledEcho(packet);
  if (echo === undefined || echo.isReply || echo.destination !== homeAgent) return undefined;
  if (bindingOf(echo.source)?.encapsulation !== encapsulation) return undefined;
  const { source, destination } = echo;
  return encodeTunnelledEcho(
    { ...echo, isReply: true, source: destination, destination: source },
    encapsulation,
  );
}
