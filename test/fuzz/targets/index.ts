/** Every codec that reads octets from a network (or, netlink, from the kernel). */
import type { FuzzTarget } from '../fuzz-target.ts';
import { diameterMessage, diameterStream } from './diameter.ts';
import { ipPacket } from './ip-packet.ts';
import { mobileIp, netlink, rtp, stun, tunnelData } from './packets.ts';
import { sdp } from './sdp.ts';
import { sipHeaderField, sipUri } from './sip-fields.ts';
import { sipMessage } from './sip-message.ts';
import { sipStream } from './sip-stream.ts';
import { filterPattern, registrationInformation, userProfile } from './xml.ts';

export const fuzzTargets: readonly FuzzTarget[] = [
  ...[sipMessage, sipStream, sipHeaderField, sipUri, sdp, diameterMessage, diameterStream],
  ...[
    mobileIp,
    tunnelData,
    stun,
    rtp,
    ipPacket,
    netlink,
    userProfile,
    registrationInformation,
    filterPattern,
  ],
];
