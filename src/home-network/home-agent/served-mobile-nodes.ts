/**
 * The mobile nodes that the home agent knows, and whether a message is really from one of them (RFC 5944 §3.8.2.1 a and d). Nobody
 * without a security association gets an answer.
 */
import type { NetworkInput, TransportAddress } from '../../base/network.ts';
import { isAuthentic, type SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type {
  MobileIpMessage,
  ReceivedMessage,
  RegistrationRequest,
} from '../../protocols/mobile-ip/message.ts';
import type { RefusalReason, ServedMobileNode } from './home-agent-options.ts';

export type ReceivedDatagram = Extract<NetworkInput, { kind: 'datagram-received' }>;

/** What is needed to answer a request. */
export interface Requester {
  readonly request: RegistrationRequest;
  /** Known, whatever the request left open. */
  readonly homeAddress: string;
  readonly association: SecurityAssociation;
  readonly remote: TransportAddress;
}

export type Screening =
  | {
      readonly kind: 'authentic';
      readonly mobileNode: ServedMobileNode;
      readonly association: SecurityAssociation;
    }
  | {
      readonly kind: 'refused';
      readonly homeAddress: string;
      readonly reason: RefusalReason;
      /** The key that the refusal may be signed with: the sender is to be told (code 131). */
      readonly association?: SecurityAssociation;
    };

export class ServedMobileNodes {
  readonly #byHomeAddress = new Map<string, ServedMobileNode>();
  readonly #byIdentifier = new Map<string, ServedMobileNode>();

  constructor(mobileNodes: readonly ServedMobileNode[]) {
    for (const mobileNode of mobileNodes) {
      this.#byHomeAddress.set(mobileNode.homeAddress, mobileNode);
      if (mobileNode.networkAccessIdentifier !== undefined)
        this.#byIdentifier.set(mobileNode.networkAccessIdentifier, mobileNode);
    }
  }

  get(homeAddress: string): ServedMobileNode | undefined {
    return this.#byHomeAddress.get(homeAddress);
  }

  screen(
    { message, authentication, furtherAuthentications }: ReceivedMessage,
    payload: Uint8Array,
  ): Screening {
    const mobileNode = this.#named(message) ?? this.get(message.homeAddress);
    if (mobileNode === undefined) return { kind: 'refused', homeAddress: '', reason: 'unknown-mobile-node' };
    const { homeAddress, securityAssociations } = mobileNode;
    // We share no key with any foreign agent, and one that thinks so is to be ignored.
    if (authentication === undefined || furtherAuthentications.includes('foreign-home'))
      return { kind: 'refused', homeAddress, reason: 'not-authenticated' };
    const named = securityAssociations.find(({ spi }) => spi === authentication.spi);
    if (named !== undefined && isAuthentic(payload, authentication, named))
      return { kind: 'authentic', mobileNode, association: named };
    // Signed by a key that the mobile node is likely to have.
    const association = named ?? securityAssociations[0];
    return {
      kind: 'refused',
      homeAddress,
      reason: 'bad-authenticator',
      ...(association !== undefined && { association }),
    };
  }

  /** RFC 2794: the identifier stands for a home address that the request may leave open. */
  #named({ extensions }: MobileIpMessage): ServedMobileNode | undefined {
    const nai = extensions.find((extension) => extension.kind === 'network-access-identifier');
    return nai && this.#byIdentifier.get(nai.identifier);
  }
}
