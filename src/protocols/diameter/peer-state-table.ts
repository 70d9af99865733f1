/**
 * The peer state machine of RFC 6733 §5.6 as the table that it is: state × event → actions, next state. peer.ts carries it out.
 * "Initiator" is the connection that we opened, "responder" the one that the peer opened.
 * A CER on a connection that is already ours is peer.ts's matter. `stop` while not yet open is ours: the connections are closed.
 */
export type PeerState =
  | 'closed'
  | 'wait-connection-ack'
  | 'wait-initiator-cea'
  | 'wait-connection-ack-elect'
  | 'wait-returns'
  | 'responder-open'
  | 'initiator-open'
  | 'closing';

export type PeerStateEvent =
  | 'start'
  | 'stop'
  | 'timeout'
  | 'initiator-connected'
  | 'initiator-refused'
  | 'initiator-cea-received'
  | 'initiator-other-received'
  | 'initiator-disconnected'
  | 'responder-cer-received'
  | 'responder-disconnected'
  | 'election-won'
  | 'dpr-received'
  | 'dpa-received';

export type PeerAction =
  | 'connect-initiator'
  | 'send-cer'
  | 'accept-responder'
  | 'reject-responder'
  | 'send-cea'
  | 'elect'
  | 'close-initiator'
  | 'close-responder'
  | 'send-dpr'
  | 'send-dpa';

export interface PeerTransition {
  readonly actions: readonly PeerAction[];
  readonly next: PeerState;
}

type Row = { readonly [Event in PeerStateEvent]?: PeerTransition };

/** "Error" and "Cleanup" of the RFC: all connections are closed. */
const closeBoth: readonly PeerAction[] = ['close-initiator', 'close-responder'];

function to(next: PeerState, ...actions: PeerAction[]): PeerTransition {
  return { actions, next };
}

const toClosed = to('closed', ...closeBoth);

function open(self: 'responder-open' | 'initiator-open'): Row {
  const lost: Row =
    self === 'responder-open'
      ? { 'responder-disconnected': toClosed }
      : { 'initiator-disconnected': toClosed };
  return {
    'responder-cer-received': to(self, 'reject-responder'),
    stop: to('closing', 'send-dpr'),
    'dpr-received': to('closing', 'send-dpa'),
    ...lost,
  };
}

export const peerStateTable: Readonly<Record<PeerState, Row>> = {
  closed: {
    start: to('wait-connection-ack', 'connect-initiator'),
    'responder-cer-received': to('responder-open', 'accept-responder', 'send-cea'),
  },
  'wait-connection-ack': {
    'initiator-connected': to('wait-initiator-cea', 'send-cer'),
    'initiator-refused': toClosed,
    'responder-cer-received': to('wait-connection-ack-elect', 'accept-responder'),
    timeout: toClosed,
    stop: toClosed,
  },
  'wait-initiator-cea': {
    'initiator-cea-received': to('initiator-open'),
    'responder-cer-received': to('wait-returns', 'accept-responder', 'elect'),
    'initiator-disconnected': toClosed,
    'initiator-other-received': toClosed,
    timeout: toClosed,
    stop: toClosed,
  },
  'wait-connection-ack-elect': {
    'initiator-connected': to('wait-returns', 'send-cer', 'elect'),
    'initiator-refused': to('responder-open', 'send-cea'),
    'responder-disconnected': to('wait-connection-ack', 'close-responder'),
    'responder-cer-received': to('wait-connection-ack-elect', 'reject-responder'),
    timeout: toClosed,
    stop: toClosed,
  },
  'wait-returns': {
    'election-won': to('responder-open', 'close-initiator', 'send-cea'),
    'initiator-disconnected': to('responder-open', 'close-initiator', 'send-cea'),
    'initiator-cea-received': to('initiator-open', 'close-responder'),
    'responder-disconnected': to('wait-initiator-cea', 'close-responder'),
    'responder-cer-received': to('wait-returns', 'reject-responder'),
    timeout: toClosed,
    stop: toClosed,
  },
  'responder-open': open('responder-open'),
  'initiator-open': open('initiator-open'),
  closing: {
    // Both said goodbye at the same time; the RFC's table leaves this out.
    'dpr-received': to('closing', 'send-dpa'),
    'dpa-received': toClosed,
    timeout: toClosed,
    'initiator-disconnected': toClosed,
    'responder-disconnected': toClosed,
  },
};
