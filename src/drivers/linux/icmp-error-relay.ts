/**
 * Translates the ICMP errors that nftables cannot (docs/userplane.md): the rules log them to a netlink group (linux/netfilter/
 * nfnetlink_log.h), the packet translator restores the quoted packet, and a raw socket sends them on, to the correspondent, the mobile
 * node or, on a mobile node, to its own applications. Without them a path with a smaller MTU is a black hole.
 */

import { isMalformed } from '../../base/malformed.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { IpPacket } from '../../protocols/ip/ip-packet.ts';
import type { PacketTranslator, TranslatedPacket } from '../../translation/packet-translator.ts';
import { NetlinkWriter, readAttributes } from './netlink-message.ts';
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import type { Attribute } from './nftables-batch.ts';
import { writeAttributes } from './nftables-batch.ts';
import { socketAddress } from './socket-address.ts';
import {
  AF_INET,
  AF_INET6,
  closeDescriptor,
  openSocket,
  SOCK_RAW,
  SOL_SOCKET,
  send,
  setSocketOption,
} from './system-calls.ts';

export class IcmpErrorRelay {
  readonly #translator: PacketTranslator;
  readonly #log: NetlinkSocket;
  readonly #sockets: Readonly<Record<4 | 6, number>>;

  /** Listens in the calling thread's network namespace, from the event loop. */
  constructor(translator: PacketTranslator, logGroup: number) {
    this.#translator = translator;
    this.#log = new NetlinkSocket(NETLINK_NETFILTER);
    this.#configure(logGroup, [[NFULA_CFG_CMD, Uint8Array.of(NFULNL_CFG_CMD_BIND)]]);
    const wholePackets = Uint8Array.of(0, 0, 0xff, 0xff, NFULNL_COPY_PACKET, 0);
    this.#configure(logGroup, [[NFULA_CFG_MODE, wholePackets]]);
    this.#sockets = {
      4: openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW),
      6: openSocket(AF_INET6, SOCK_RAW, IPPROTO_RAW),
    };
    this.#log.watch(({ type, payload }) => {
      const packet = type === MESSAGE_PACKET && readAttributes(payload.subarray(4)).get(NFULA_PAYLOAD);
      const translated = packet && this.#translator.translateIcmpError(packet);
      if (translated) this.#send(translated);
    });
  }

  close(): void {
    this.#log.close();
    closeDescriptor(this.#sockets[4]);
    closeDescriptor(this.#sockets[6]);
  }

  #send({ octets, mark }: TranslatedPacket): void {
    const packet = IpPacket.read(octets);
    if (isMalformed(packet)) return;
    const socket = this.#sockets[packet.family];
    try {
      // The mark picks the access network, as for the flow's other packets.
      setSocketOption(socket, SOL_SOCKET, SO_MARK, mark);
      send(socket, octets, socketAddress({ address: packet.destination, port: 0 }));
    } catch (error) {
      // No way to there at the moment: an error about an error is never sent (RFC 1122 §3.2.2).
      if (!(error instanceof TrimaranError)) throw error;
    }
  }

  #configure(group: number, attributes: readonly Attribute[]): void {
    const writer = new NetlinkWriter(128);
    const header = Uint8Array.of(0, 0, group >> 8, group & 255);
    writer.beginMessage(
      MESSAGE_CONFIG,
      netlinkFlag.request | netlinkFlag.ack,
      this.#log.nextSequence(),
      header,
    );
    writeAttributes(writer, attributes);
    writer.endMessage();
    this.#log.request(writer, `listen to netlink log group ${group}`);
  }
}

const NFNL_SUBSYS_ULOG = 4;
const MESSAGE_PACKET = NFNL_SUBSYS_ULOG << 8;
const MESSAGE_CONFIG = (NFNL_SUBSYS_ULOG << 8) | 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULA_PAYLOAD = 9;
const IPPROTO_RAW = 255;
const SO_MARK = 36;
