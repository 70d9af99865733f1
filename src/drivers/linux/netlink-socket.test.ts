import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { NetlinkWriter, readAttributes } from './netlink-message.ts';
import { NETLINK_ROUTE, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';

const RTM_GETLINK = 18;
const RTM_DELLINK = 17;
const IFLA_IFNAME = 3;

test('NetlinkSocket: dumps the links of this network namespace', () => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const writer = new NetlinkWriter();
    writer.beginMessage(
      RTM_GETLINK,
      netlinkFlag.request | netlinkFlag.dump,
      socket.nextSequence(),
      new Uint8Array(16),
    );
    writer.endMessage();
    const names = socket.dump(writer, 'list links').map(({ payload }) => {
      const name = readAttributes(payload.subarray(16)).get(IFLA_IFNAME);
      return new TextDecoder().decode(name?.subarray(0, -1));
    });
    for (const name of Object.keys(networkInterfaces()))
      assert.ok(names.includes(name), `${name} of ${names}`);
    assert.ok(names.includes('lo'));
  } finally {
    socket.close();
  }
});

test('NetlinkSocket: a refused request names the errno and what was asked for', () => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const writer = new NetlinkWriter();
    writer.beginMessage(
      RTM_DELLINK,
      netlinkFlag.request | netlinkFlag.ack,
      socket.nextSequence(),
      new Uint8Array(16),
    );
    writer.text(IFLA_IFNAME, 'no-such-link');
    writer.endMessage();
    assert.throws(
      () => socket.request(writer, 'remove link no-such-link'),
      (error) =>
        error instanceof TrimaranError &&
        ['ENODEV', 'EPERM'].includes(error.code) &&
        error.message.startsWith('remove link no-such-link: '),
    );
  } finally {
    socket.close();
  }
});
