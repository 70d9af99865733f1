/** The one TCP connection of a media program, opened as its settings say: by connecting, or by accepting the first that comes. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TransportAddress } from '../../base/network.ts';
import { formatTransportAddress } from '../../base/network.ts';
import { setCongestionControl } from './congestion-control.ts';
import type { Opening } from './media-protocol.ts';

export interface OpeningConnection {
  /** Known before the peer comes when listening. */
  readonly local: TransportAddress | undefined;
  readonly socket: Promise<Socket>;
}

export async function openConnection(opening: Opening): Promise<OpeningConnection> {
  if (opening.kind === 'connect') {
    const { remote, local } = opening;
    const socket = connect({
      host: remote.address,
      port: remote.port,
      noDelay: true,
      ...(local && { localAddress: local.address, localPort: local.port }),
    });
    await once(socket, 'connect');
    controlCongestion(socket, opening);
    return {
      local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      socket: Promise.resolve(socket),
    };
  }
  const server = createServer({ noDelay: true }).listen(opening.local.port, opening.local.address);
  await once(server, 'listening');
  const socket = once(server, 'connection').then(([accepted]: Socket[]) => {
    server.close();
    controlCongestion(accepted as Socket, opening);
    return accepted as Socket;
  });
  return { local: server.address() as unknown as TransportAddress, socket };
}

function controlCongestion(socket: Socket, { congestionControl }: Opening): void {
  if (congestionControl !== undefined) setCongestionControl(socket, congestionControl);
}

/** Both ends as "address:port", to be asked while the connection is open. */
export function endsOf(socket: Socket): { readonly local: string; readonly remote: string } {
  const format = (address = '', port = 0): string => formatTransportAddress({ address, port });
  return {
    local: format(socket.localAddress, socket.localPort),
    remote: format(socket.remoteAddress, socket.remotePort),
  };
}
