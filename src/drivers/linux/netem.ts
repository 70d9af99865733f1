/**
 * The kernel's network emulator (sch_netem; linux/pkt_sched.h) as one direction of an access link (TRIM fig. 7): which characteristics it
 * serves, and what is said to the kernel about them. Its line and delay are those of access-network/link-emulator.ts: a packet arrives its
 * own length after the one before it, or its delay after it was sent.
 *
 * What differs: netem counts waiting packets, not octets, and those in the air too; loses ahead of the line; draws at random without a seed;
 * and packets that wait while the characteristics change keep the instants that they were given. It keeps no order by itself: with
 * a rate it does, since then every packet comes after the one before it.
 */
import type { LinkCharacteristics } from '../../access-network/link-characteristics.ts';
import { NetlinkWriter } from './netlink-message.ts';

/** Why netem is not asked for this: it would behave in another way. Undefined when it serves. */
export function reasonAgainstNetem(characteristics: LinkCharacteristics): string | undefined {
  const { rateBitsPerSecond, burstOctets, jitterMs, loss } = characteristics;
  if (loss.kind === 'gilbert-elliott') return 'bursts of losses';
  if (burstOctets > 0) return 'a line that passes bursts';
  if (jitterMs > 0 && rateBitsPerSecond === undefined) return 'jitter in order without a rate';
  return undefined;
}

/** The value of TCA_OPTIONS: struct tc_netem_qopt, then attributes; octet for octet what the program `tc` sends. */
export function netemOptions({
  rateBitsPerSecond,
  delayMs,
  jitterMs,
  ...rest
}: LinkCharacteristics): Uint8Array {
  const { loss, queueLimitOctets } = rest;
  const basics = new DataView(new ArrayBuffer(24));
  basics.setUint32(0, ticksOf(delayMs), true);
  basics.setUint32(4, packetLimit({ rateBitsPerSecond, delayMs, queueLimitOctets }), true);
  basics.setUint32(8, loss.kind === 'independent' ? probability(loss.probability) : 0, true);
  basics.setUint32(20, ticksOf(jitterMs), true);
  const writer = new NetlinkWriter(64);
  writer.append(new Uint8Array(basics.buffer));
  if (rateBitsPerSecond !== undefined) {
    const rate = new DataView(new ArrayBuffer(16));
    rate.setUint32(0, Math.round(rateBitsPerSecond / 8), true);
    // Rates count IP packets, netem whole frames.
    rate.setInt32(4, -ethernetHeaderOctets, true);
    writer.attribute(TCA_NETEM_RATE, new Uint8Array(rate.buffer));
  }
  return writer.octets();
}

/** The octet limit in full packets, and room for as many as the air holds. */
function packetLimit({
  rateBitsPerSecond,
  delayMs,
  queueLimitOctets,
}: {
  readonly rateBitsPerSecond: number | undefined;
  readonly delayMs: number;
  readonly queueLimitOctets: number;
}): number {
  if (rateBitsPerSecond === undefined) return unlimitedPackets;
  return Math.ceil((queueLimitOctets + (rateBitsPerSecond * delayMs) / 8000) / fullPacketOctets);
}

/** The kernel's unit is 64 ns (PSCHED_SHIFT). */
function ticksOf(ms: number): number {
  return Math.round((ms * 1e6) / 64);
}

/** Of 2^32 − 1. */
function probability(value: number): number {
  return Math.round(value * 0xffff_ffff);
}

const ethernetHeaderOctets = 14;
const fullPacketOctets = 1500;
/** A line without a rate never makes packets wait: so many may be in the air, as in the emulator of our own. */
const unlimitedPackets = 8192;
const TCA_NETEM_RATE = 6;
