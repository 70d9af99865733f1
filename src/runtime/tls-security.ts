/**
 * TLS of a host (RFC 3261 §26.3.1, RFC 5922): its own certificate, whom it trusts, and which SIP domains a certificate speaks for.
 * Clients without a certificate are let in, as phones have none; whom they may speak for is then a matter of digest.
 */
import { connect, createServer, type PeerCertificate, type Server, type TLSSocket } from 'node:tls';
import type { TransportAddress } from '../base/network.ts';

/** PEM text. */
export interface TlsCredentials {
  readonly certificate: string;
  readonly key: string;
  /** Certificates of the authorities that are trusted; absent: those that Node brings along. */
  readonly authorities?: string | undefined;
}

/**
 * RFC 5922 §7.1: SIP URIs and DNS names of subjectAltName, in lower case, no wildcards (§7.2); and its IP addresses, which a sips: URI may
 * name too. The common name counts for nothing.
 */
export function certifiedNames({ subjectaltname }: PeerCertificate): string[] {
  return (subjectaltname ?? '').split(', ').flatMap((entry) => {
    const [, name] = /^(?:DNS:|IP Address:|URI:sips?:)([^@]+)$/i.exec(entry) ?? [];
    return name === undefined || name.startsWith('*') ? [] : [name.toLowerCase()];
  });
}

/** Names that the peer of this socket has shown to be his; none without a trusted certificate. */
export function provenNames(socket: TLSSocket): string[] {
  return socket.authorized ? certifiedNames(socket.getPeerCertificate()) : [];
}

export function listenSecurely(credentials: TlsCredentials, accepted: (socket: TLSSocket) => void): Server {
  const { certificate: cert, key, authorities: ca } = credentials;
  const server = createServer(
    {
      cert,
      key,
      ...(ca !== undefined && { ca }),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    },
    accepted,
  );
  // A handshake that fails is the business of its peer.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

/** Fails unless the server's certificate is trusted and holds `serverName`. */
export function connectSecurely(
  credentials: TlsCredentials | undefined,
  serverName: string,
  remote: TransportAddress,
  local: { readonly localAddress?: string; readonly localPort?: number },
): TLSSocket {
  return connect({
    ...local,
    host: remote.address,
    port: remote.port,
    minVersion: 'TLSv1.2',
    ...(credentials && { cert: credentials.certificate, key: credentials.key }),
    ...(credentials?.authorities !== undefined && { ca: credentials.authorities }),
    // RFC 6066 §3: addresses are no server names.
    servername: /^[\d.]+$|:/.test(serverName) ? '' : serverName,
    checkServerIdentity: (_, certificate) =>
      certifiedNames(certificate).includes(serverName.toLowerCase())
        ? undefined
        : new Error(
            `the certificate is not for ${serverName}: ${certificate.subjectaltname ?? 'no names in it'}`,
          ),
  });
}
