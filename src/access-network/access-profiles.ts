/**
 * The access technologies of the two papers as data: rate, delay and jitter of each direction, and the power and cost scores of the
 * MIP–SIP paper's utility function (section 3). Rates count IP packets. Delays are one way, between the terminal and its first router.
 * Registration and radio resource control (the seconds an idle UMTS bearer needs to wake up) are left out.
 */
import { type LinkCharacteristics, perfectLink } from './link-characteristics.ts';

export type AccessProfileName = 'umts' | 'hsdpa' | 'hspa' | 'wlan' | 'wimax' | 'cdma2000-450' | 'wire';

export interface AccessProfile {
  readonly name: AccessProfileName;
  /** As a person would call it. */
  readonly technology: string;
  /** From the network to the terminal. */
  readonly downlink: LinkCharacteristics;
  /** From the terminal to the network. */
  readonly uplink: LinkCharacteristics;
  /** What P-Access-Network-Info calls it (RFC 7315 §5.4, 3GPP TS 24.229 §7.2A.4). */
  readonly accessType: string;
  /** The paper's words (MIP–SIP §3): UMTS and CDMA2000 cover large areas, WLAN and WiMAX smaller ones. */
  readonly coverage: 'large' | 'small';
  /** Scores without unit, 1 is best; they carry an order, to be replaced by the operator. */
  readonly power: number;
  readonly cost: number;
}

const kilobit = 1000;
const megabit = 1_000_000;

/** A bearer that buffers up to 500 ms at its rate: deep, as radio bearers are, yet bounded. */
function bearer(rateBitsPerSecond: number, delayMs: number, jitterMs: number): LinkCharacteristics {
  const queueLimitOctets = Math.max(perfectLink.queueLimitOctets, rateBitsPerSecond / 16);
  return { ...perfectLink, rateBitsPerSecond, delayMs, jitterMs, queueLimitOctets };
}

export const accessProfiles: Readonly<Record<AccessProfileName, AccessProfile>> = {
  // 3GPP TS 34.108 §6.10.2.4.1: the interactive bearers of 384 kbit/s down and 64 kbit/s up; round trips of 150 to 200 ms were common.
  // The 3G leg of TRIM fig. 9, which carried less than the 500 kbit/s that were offered.
  umts: {
    name: 'umts',
    technology: 'UMTS Release 99',
    accessType: '3GPP-UTRAN-FDD',
    coverage: 'large',
    downlink: bearer(384 * kilobit, 75, 10),
    uplink: bearer(64 * kilobit, 75, 10),
    power: 2,
    cost: 5,
  },
  // TS 25.306 table 5.1a, HS-DSCH category 6: 3.6 Mbit/s down; the uplink stays a dedicated bearer of 384 kbit/s.
  hsdpa: {
    name: 'hsdpa',
    technology: 'UMTS with HSDPA',
    accessType: '3GPP-UTRAN-FDD',
    coverage: 'large',
    downlink: bearer(3.6 * megabit, 40, 5),
    uplink: bearer(384 * kilobit, 45, 5),
    power: 2,
    cost: 5,
  },
  // TS 25.306: HS-DSCH category 8 (7.2 Mbit/s), E-DCH category 3 on a 10 ms TTI (1.46) to category 6 (5.76): 4 Mbit/s is taken, so that the video stream of
  // TRIM fig. 8, which did not saturate the 3G leg, fits in both directions with its intra frames.
  hspa: {
    name: 'hspa',
    technology: 'UMTS with HSPA',
    accessType: '3GPP-UTRAN-FDD',
    coverage: 'large',
    downlink: bearer(7.2 * megabit, 30, 3),
    uplink: bearer(4 * megabit, 30, 3),
    power: 2,
    cost: 5,
  },
  // IEEE 802.11g at 54 Mbit/s leaves about 25 to IP after contention and acknowledgements; TRIM §4.3 gives a round trip of about 2 ms.
  wlan: {
    name: 'wlan',
    technology: 'WLAN IEEE 802.11g',
    accessType: 'IEEE-802.11',
    coverage: 'small',
    downlink: bearer(25 * megabit, 1, 0.5),
    uplink: bearer(25 * megabit, 1, 0.5),
    power: 1,
    cost: 1,
  },
  // IEEE 802.16e, 5 MHz channel, frames of 5 ms: about 8 down and 2 up per sector under fair radio conditions.
  wimax: {
    name: 'wimax',
    technology: 'WiMAX IEEE 802.16e',
    accessType: 'IEEE-802.16',
    coverage: 'small',
    downlink: bearer(8 * megabit, 25, 5),
    uplink: bearer(2 * megabit, 30, 5),
    power: 1.5,
    cost: 2,
  },
  // 3GPP2 C.S0024-0 (1xEV-DO release 0): peak 2.4576 Mbit/s down, 153.6 kbit/s up; about a quarter of the peak down in the 450 MHz cells' area.
  'cdma2000-450': {
    name: 'cdma2000-450',
    technology: 'CDMA2000 1xEV-DO at 450 MHz',
    accessType: '3GPP2-1X-HRPD',
    coverage: 'large',
    downlink: bearer(600 * kilobit, 65, 10),
    uplink: bearer(150 * kilobit, 65, 10),
    power: 2,
    cost: 5,
  },
  // Fast Ethernet; the correspondent node of TRIM fig. 7 is always attached to a wired network.
  wire: {
    name: 'wire',
    technology: 'Ethernet',
    accessType: 'IEEE-802.3',
    coverage: 'small',
    downlink: bearer(100 * megabit, 0.1, 0),
    uplink: bearer(100 * megabit, 0.1, 0),
    power: 1,
    cost: 1,
  },
};
