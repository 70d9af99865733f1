/**
 * Whole messages from the application's AVPs: identities, Session-Id and routing AVPs (RFC 6733 §6.1, §6.2) in the order in which
 * Kamailio 5.6.3 sends them. What is the same in all messages is encoded once.
 */
import { type Avp, type Avps, avp, avpValue, avpValues, optionalAvp } from './avp.ts';
import { closeAvp, encodeAvps, openAvp, writeAvp, writeAvps } from './avp-writing.ts';
import { advertisement, type DiameterNode } from './capabilities.ts';
import type { OutgoingRequest } from './diameter-event.ts';
import { baseAvps } from './dictionary/base.ts';
import type { CommandDefinition } from './dictionary/dictionary.ts';
import type { EncodedAvps } from './encoded-avps.ts';
import { answerHeader, beginMessage, type DiameterMessage, finishMessage } from './message.ts';

/** A request as the application wants it; which peer gets it is not known yet. */
export interface RequestContent {
  readonly asked: OutgoingRequest;
  readonly sessionId: string;
  readonly endToEndId: number;
  readonly isRetransmitted: boolean;
}

/** Who gets it, on which hop. */
export interface RequestRoute {
  readonly hopByHopId: number;
  readonly destinationRealm: string;
  readonly destinationHost: string;
}

/** The AVPs between Session-Id and the application's, for one command to one peer. */
interface Address {
  readonly destinationRealm: string;
  readonly avps: EncodedAvps;
}

export class MessageComposer {
  readonly #node: DiameterNode;
  /** By command, then by Destination-Host: as many as there are peers in the configuration. */
  readonly #addresses = new Map<CommandDefinition, Map<string, Address>>();
  /** The AVPs between Session-Id and the application's in answers, by application. */
  readonly #signatures = new Map<number, EncodedAvps>();

  constructor(node: DiameterNode) {
    this.#node = node;
  }

  request(content: RequestContent, route: RequestRoute): Uint8Array {
    const { command, avps } = content.asked;
    const writer = beginMessage({
      commandCode: command.code,
      applicationId: command.applicationId,
      isRequest: true,
      isProxiable: command.proxiable,
      isError: false,
      isRetransmitted: content.isRetransmitted,
      hopByHopId: route.hopByHopId,
      endToEndId: content.endToEndId,
    });
    writeAvp(writer, baseAvps.sessionId, content.sessionId);
    writeAvps(writer, this.#address(command, route));
    writeAvps(writer, avps);
    return finishMessage();
  }

  /** Session-Id and Proxy-Info come back as they came (RFC 6733 §6.2); the answers of a vendor's application name it too (TS 29.229 §6.1). */
  answer(request: DiameterMessage, avps: Avps): Uint8Array {
    const writer = beginMessage(answerHeader(request, avpValue(avps, baseAvps.resultCode)));
    const sessionId = avpValue(request.avps, baseAvps.sessionId);
    if (sessionId !== undefined) writeAvp(writer, baseAvps.sessionId, sessionId);
    writeAvps(writer, this.#signature(request.applicationId));
    writeAvps(writer, avps);
    for (const info of avpValues(request.avps, baseAvps.proxyInfo)) {
      const start = openAvp(writer, baseAvps.proxyInfo);
      writeAvps(writer, info);
      closeAvp(writer, start);
    }
    return finishMessage();
  }

  #address(command: CommandDefinition, { destinationHost, destinationRealm }: RequestRoute): EncodedAvps {
    const ofCommand = this.#addresses.get(command) ?? new Map<string, Address>();
    const known = ofCommand.get(destinationHost);
    // A peer may come back with another realm.
    if (known?.destinationRealm === destinationRealm) return known.avps;
    const application = this.#node.applications.find(({ id }) => id === command.applicationId);
    const namesHost = command.required.includes(baseAvps.destinationHost);
    const avps = encodeAvps((writer) =>
      writeAvps(writer, [
        ...originAvps(this.#node),
        ...optionalAvp(baseAvps.destinationHost, namesHost ? destinationHost : undefined),
        avp(baseAvps.destinationRealm, destinationRealm),
        ...(application === undefined ? [] : [advertisement(application)]),
      ]),
    );
    this.#addresses.set(command, ofCommand.set(destinationHost, { destinationRealm, avps }));
    return avps;
  }

  #signature(applicationId: number): EncodedAvps {
    const known = this.#signatures.get(applicationId);
    if (known !== undefined) return known;
    const application = this.#node.applications.find(({ id }) => id === applicationId);
    const avps = encodeAvps((writer) =>
      writeAvps(writer, [
        ...(application?.vendor === undefined ? [] : [advertisement(application)]),
        ...originAvps(this.#node),
      ]),
    );
    // Only those of ours are kept: a peer may name any.
    if (application !== undefined) this.#signatures.set(applicationId, avps);
    return avps;
  }
}

export function originAvps(node: DiameterNode): readonly Avp[] {
  return [avp(baseAvps.originHost, node.originHost), avp(baseAvps.originRealm, node.originRealm)];
}
