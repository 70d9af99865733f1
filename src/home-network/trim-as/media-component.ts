/**
 * One transport of one stream of an anchored session, as the translator binds it: c:q ⇄ x:a [translator] y:b ⇄ m:p (nat-control.ts).
 * Addresses and ports are kept flat, since a session has two of these for as long as it lasts: an object for each end would double it.
 */
import type { NatComponent, NatEnd } from '../../protocols/diameter/nat-control.ts';

/** RTP, or whatever the m= line is, and RTCP where it has a port of its own. */
export type Part = 'media' | 'control';

type Ends = Partial<
  Pick<NatComponent, 'mobileNode' | 'correspondent' | 'towardsCorrespondent' | 'towardsMobileNode'>
>;

export class MediaComponent implements NatComponent {
  /** Of the m= line. */
  readonly index: number;
  readonly part: Part;
  readonly protocol: 'udp' | 'tcp';
  readonly #m: string | undefined;
  readonly #p: number | undefined;
  readonly #c: string | undefined;
  readonly #q: number | undefined;
  readonly #x: string | undefined;
  readonly #a: number | undefined;
  readonly #y: string | undefined;
  readonly #b: number | undefined;

  constructor(index: number, part: Part, component: NatComponent) {
    const { protocol, mobileNode, correspondent, towardsCorrespondent, towardsMobileNode } = component;
    this.index = index;
    this.part = part;
    this.protocol = protocol;
    this.#m = mobileNode?.address;
    this.#p = mobileNode?.port;
    this.#c = correspondent?.address;
    this.#q = correspondent?.port;
    this.#x = towardsCorrespondent?.address;
    this.#a = towardsCorrespondent?.port;
    this.#y = towardsMobileNode?.address;
    this.#b = towardsMobileNode?.port;
  }

  get mobileNode(): NatEnd | undefined {
    return endOf(this.#m, this.#p);
  }

  get correspondent(): NatEnd | undefined {
    return endOf(this.#c, this.#q);
  }

  get towardsCorrespondent(): NatEnd | undefined {
    return endOf(this.#x, this.#a);
  }

  get towardsMobileNode(): NatEnd | undefined {
    return endOf(this.#y, this.#b);
  }

  /** Whether the translator has chosen x:a; an address without a port only says of which version of IP it is to be. */
  get isBound(): boolean {
    return this.#a !== undefined;
  }

  /** With these ends at these places, the others where they are; the same component when nothing is new. */
  with({ mobileNode, correspondent, towardsCorrespondent, towardsMobileNode }: Ends): MediaComponent {
    const isKnown =
      isAt(mobileNode, this.#m, this.#p) &&
      isAt(correspondent, this.#c, this.#q) &&
      isAt(towardsCorrespondent, this.#x, this.#a) &&
      isAt(towardsMobileNode, this.#y, this.#b);
    if (isKnown) return this;
    return new MediaComponent(this.index, this.part, {
      protocol: this.protocol,
      mobileNode: mobileNode ?? this.mobileNode,
      correspondent: correspondent ?? this.correspondent,
      towardsCorrespondent: towardsCorrespondent ?? this.towardsCorrespondent,
      towardsMobileNode: towardsMobileNode ?? this.towardsMobileNode,
    });
  }
}

function isAt(end: NatEnd | undefined, address: string | undefined, port: number | undefined): boolean {
  return end === undefined || (end.address === address && end.port === port);
}

function endOf(address: string | undefined, port: number | undefined): NatEnd | undefined {
  if (address === undefined) return undefined;
  return port === undefined ? { address } : { address, port };
}
